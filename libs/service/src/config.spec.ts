import { expect, it } from 'vitest';
import { z } from 'zod';
import { readConfig, ServiceConfig } from './config.js';

const Config = ServiceConfig.extend({
  PORT: ServiceConfig.shape.PORT.default(3000),
  WORKERS: z.coerce.number().int().min(1).default(2),
});
const good = { DATABASE_URL: 'postgres://u:p@h/db', REDIS_URL: 'redis://h' };

it('reads numbers and defaults; an empty variable counts as unset, others are not its business', () => {
  const config = readConfig(Config, { ...good, PORT: '', WORKERS: '4', HOME: '/home' });
  expect(config).toEqual({ ...good, HOST: '127.0.0.1', PORT: 3000, LOG_LEVEL: 'info', WORKERS: 4 });
});

it.each(['0', '1.5', '-1', 'a week', '36501'])('keeps no run for %j days', (days) => {
  const read = (): unknown => readConfig(Config, { ...good, RETENTION_DAYS: days });
  expect(read).toThrow(/RETENTION_DAYS is not valid/);
});

it('keeps runs for some days, or for ever', () => {
  const daysOf = (env: object) => readConfig(Config, { ...good, ...env }).RETENTION_DAYS;
  expect(daysOf({ RETENTION_DAYS: '30' })).toBe(30);
  expect(daysOf({ RETENTION_DAYS: '' })).toBeUndefined();
});

it('names every variable that is missing or wrong at once, and none that is right', () => {
  const read = (): unknown => readConfig(Config, { REDIS_URL: 'http://h', WORKERS: 'many' });
  expect(read).toThrow(/DATABASE_URL is not set/);
  expect(read).toThrow(/REDIS_URL is not valid \(a redis:\/\/ URL\)/);
  expect(read).toThrow(/WORKERS is not valid/);
  expect(read).not.toThrow(/PORT|HOST/);
});
