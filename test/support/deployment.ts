import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { parseAllDocuments, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ExecutorConfig } from '../../apps/executor/src/config.js';
import { GatewayConfig } from '../../apps/gateway/src/config.js';
import { HealthController } from '../../apps/gateway/src/health.controller.js';
import { WorkerConfig } from '../../apps/worker/src/config.js';
import { readConfig, serveHealth } from '#libs/service';

/**
 * No cluster and no Docker engine are asked here: the files are held against the schemas of Compose and Kubernetes, and
 * against the programs that they start.
 */
export const ROOT = path.resolve(import.meta.dirname, '../..');
export const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

export const { version } = JSON.parse(read('package.json')) as { version: string };
const CONFIGS: Record<string, z.ZodObject> = {
  gateway: GatewayConfig,
  worker: WorkerConfig,
  executor: ExecutorConfig,
};
export const PROGRAMS = Object.keys(CONFIGS);
export const STORES = ['postgres', 'valkey'];
/** A value for each key of the Secret and each variable of .env that a deployment must be given. */
export const SECRETS: Record<string, string> = {
  'api-key': 'hl_0123456789abcdef',
  'database-url': 'postgres://hammerline:secret@postgres:5432/hammerline',
  'postgres-password': 'secret',
  HAMMERLINE_API_KEY: 'hl_0123456789abcdef',
  POSTGRES_PASSWORD: 'secret',
};
/** Variables of toolset files, which the executor fills in. */
const TOOL_VARIABLES = new Set(
  globSync('examples/**/toolset.json', { cwd: ROOT }).flatMap((file) =>
    [...read(file).matchAll(/\$\{([A-Z0-9_]+)\}/g)].map(([, name]) => name),
  ),
);
/** What a Valkey that must not lose hints is told. */
export const DURABLE = { '--maxmemory-policy': 'noeviction', '--appendonly': 'yes' };
export const drainSeconds =
  Number(
    /SHUTDOWN_WITHIN_MS = ([\d_]+)/
      .exec(read('libs/service/src/run-service.ts'))?.[1]
      ?.replaceAll('_', ''),
  ) / 1_000;

type Env = Record<string, string>;

/** The program that a command starts has a source. */
export function expectProgram(command: string[], source: string): void {
  expect(command).toEqual(['node', `dist/${source.replace(/\.ts$/, '.js')}`]);
  expect({ source, exists: existsSync(path.join(ROOT, source)) }).toMatchObject({ exists: true });
}

/** The program starts with this environment, and reads every variable of it. */
export function expectEnvironment(name: string, env: Env): void {
  const config = CONFIGS[name]!;
  const unknown = Object.keys(env).filter(
    (it) =>
      !(it in config.shape) &&
      it !== 'LOG_LEVEL' &&
      !(name === 'executor' && TOOL_VARIABLES.has(it)),
  );
  expect(unknown).toEqual([]);
  const given = readConfig(config, { ...IMAGES[imageOf(name)]!.env, ...env });
  // Inside a container the loopback interface reaches nobody.
  expect(given).toMatchObject({
    HOST: '0.0.0.0',
    ...(name === 'worker' && { MODEL_CACHE: '/models' }),
  });
}

export const imageOf = (program: string): string => (program === 'worker' ? 'worker' : 'app');

// ---- docker/Dockerfile

interface Stage {
  from: string;
  lines: string[];
  env: Env;
}
export const IMAGES: Record<string, Stage> = {};
for (const line of read('docker/Dockerfile')
  .replace(/\\\n\s*/g, '')
  .split('\n')) {
  const [, from, name] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
  if (from && name) {
    IMAGES[name] = { from, lines: [...(IMAGES[from]?.lines ?? [])], env: { ...IMAGES[from]?.env } };
    continue;
  }
  const stage = Object.values(IMAGES).at(-1);
  if (!stage || line === '' || line.startsWith('#')) continue;
  stage.lines.push(line);
  if (line.startsWith('ENV ')) {
    for (const [, key, value] of line.matchAll(/(\w+)=(\S+)/g)) stage.env[key!] = value!;
  }
}

// ---- docker-compose.yml

export interface Service {
  image: string;
  build?: { dockerfile: string; target: string };
  command: string[];
  environment?: Record<string, string>;
  ports?: string[];
  networks: string[];
  read_only?: boolean;
  cap_drop?: string[];
  user?: string;
  stop_grace_period: string;
  healthcheck: { test: string[]; disable?: boolean };
  depends_on: Record<string, { condition: string }>;
}
export interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
}
const composeText = read('docker-compose.yml');
export const compose = parseDocument(composeText, { merge: true }).toJS() as Compose;

/** As Compose fills it in from a .env that holds the secrets and nothing else. */
function interpolate(text: string): string {
  return text.replaceAll(
    /\$\{(\w+)(:[-?])?([^}]*)\}/g,
    (whole, name: string, mode?: string, rest?: string) => {
      if (mode === ':-') {
        expect(SECRETS).not.toHaveProperty(name);
        return rest ?? '';
      }
      // Without it Compose must stop: no secret has a default.
      expect({ whole, mode }).toEqual({ whole, mode: ':?' });
      expect(SECRETS).toHaveProperty(name);
      return SECRETS[name]!;
    },
  );
}
export const composeEnv = (name: string): Env =>
  Object.fromEntries(
    Object.entries(compose.services[name]!.environment ?? {}).map(([key, value]) => [
      key,
      interpolate(value),
    ]),
  );

/** The settings that Valkey gets as arguments. */
export function settingsOf([program, ...args]: string[]): Env {
  expect(program).toBe('valkey-server');
  const pairs = args.flatMap((name, at) => (name.startsWith('--') ? [[name, args[at + 1]!]] : []));
  return Object.fromEntries(pairs) as Env;
}

// ---- k8s/

interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef?: { name: string; key: string } };
  }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string }[];
  securityContext?: object;
  resources?: { limits?: object };
  lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  [probe: `${string}Probe`]: {
    httpGet?: { path: string; port: string };
    tcpSocket?: { port: string };
  };
}
export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
  terminationGracePeriodSeconds?: number;
  securityContext?: object;
}
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: {
    selector?: { matchLabels?: Env } & Record<string, unknown>;
    ports?: { port: number; targetPort: string }[];
    template?: { metadata: { labels: Env }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string } }[];
    podSelector?: LabelSelector;
  };
}
interface LabelSelector {
  matchLabels?: Env;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}
export interface Kustomization {
  apiVersion: string;
  kind: string;
  namespace: string;
  resources: string[];
  images: { name: string; newTag: string }[];
}
export const kustomization = parseDocument(read('k8s/kustomization.yaml')).toJS() as Kustomization;
export const files = globSync('k8s/**/*.{yaml,yml}', { cwd: ROOT })
  .map((file) => path.relative('k8s', file))
  .filter((file) => file !== 'kustomization.yaml');
export const named = files.flatMap((file) =>
  parseAllDocuments(read(`k8s/${file}`)).map((document) => {
    const manifest = document.toJS() as Manifest;
    return [`${file}: ${manifest.kind} ${manifest.metadata.name}`, manifest] as const;
  }),
);
export const manifests = named.map(([, manifest]) => manifest);
export const ofKind = (kind: string): Manifest[] => manifests.filter((it) => it.kind === kind);
export const workloads = manifests.filter(({ spec }) => spec?.template);
export const pod = (name: string): PodSpec =>
  workloads.find((it) => it.metadata.name === name)!.spec.template!.spec;
export const container = (name: string): Container => pod(name).containers[0]!;
export const kubernetesEnv = ({ env = [] }: Container): Env =>
  Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? secretValue(valueFrom?.secretKeyRef)]),
  );

function secretValue(reference?: { name: string; key: string }): string {
  expect(reference?.name).toBe('hammerline');
  expect(SECRETS).toHaveProperty([reference!.key]);
  return SECRETS[reference!.key]!;
}

export function portOf({ name, ports = [] }: Container, port: string): number {
  const found = ports.find((it) => it.name === port);
  expect({ container: name, port, found }).toHaveProperty('found.containerPort');
  return found!.containerPort;
}

type Validate = ((data: unknown) => boolean) & {
  errors?: { instancePath: string; params: object }[] | null;
};

/** The validator that was made from the Kubernetes API's own description. */
async function validatorOf({ apiVersion, kind }: Manifest): Promise<Validate> {
  const [group, number] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  const words = [group!.split('.')[0]!, number!].map((it) => it[0]!.toUpperCase() + it.slice(1));
  const name = `kubernetes-models/_schemas/IoK8sApi${words.join('')}${kind}`;
  return ((await import(/* @vite-ignore */ name)) as { validate: Validate }).validate;
}

/**
 * The API's description allows unknown fields, though a misspelt one is the commonest fault. The validators look at
 * every field that they know, so one that was never looked at is unknown.
 */
function watch(value: unknown, at: string, unseen: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map(
    Object.entries(value).map(([key, it]) => {
      if (!Array.isArray(value)) unseen.add(`${at}/${key}`);
      return [key, watch(it, `${at}/${key}`, unseen)];
    }),
  );
  return new Proxy(value, {
    get(target, key) {
      unseen.delete(`${at}/${String(key)}`);
      return fields.get(String(key)) ?? Reflect.get(target, key);
    },
  });
}

export async function faultsOf(manifest: Manifest): Promise<string[]> {
  const validate = await validatorOf(manifest);
  const unseen = new Set<string>();
  validate(watch(manifest, '', unseen));
  const errors = validate.errors?.map(
    ({ instancePath, params }) => `${instancePath} ${JSON.stringify(params)}`,
  );
  return [...(errors ?? []), ...[...unseen].map((it) => `${it} is unknown`)];
}

export function gatewayPaths(): string[] {
  const handlers = Object.values(Object.getOwnPropertyDescriptors(HealthController.prototype));
  return handlers.map(({ value }) => `/${String(Reflect.getMetadata('path', value as object))}`);
}

/** Of those that an orchestrator may ask, the ones that the server of worker and executor knows. */
export async function healthPaths(): Promise<string[]> {
  const health = await serveHealth({ host: '127.0.0.1', port: 0, checks: {} });
  const paths = ['/livez', '/readyz', '/healthz'];
  const answers = await Promise.all(paths.map((it) => fetch(`${health.url}${it}`)));
  await health.close();
  return paths.filter((_, at) => answers[at]!.status === 200);
}
