/** The sum over servers of one of their metrics. */
export async function metric(
  servers: readonly { readonly metrics: string }[],
  name: string,
): Promise<number> {
  const values = await Promise.all(
    servers.map(async ({ metrics }) => {
      const text = await (await fetch(metrics)).text();
      const line = text.split('\n').find((each) => each.startsWith(`${name}{`));
      if (line === undefined) throw new Error(`${metrics} has no ${name}`);
      return Number(line.slice(line.lastIndexOf(' ')));
    }),
  );
  return values.reduce((sum, value) => sum + value, 0);
}
