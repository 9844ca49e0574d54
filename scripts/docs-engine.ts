import { readFileSync, writeFileSync } from 'node:fs';
import { generatedPart, transitionTables } from '../test/support/transition-table.js';

const page = new URL('../docs/engine.md', import.meta.url);
writeFileSync(page, generatedPart(readFileSync(page, 'utf8'), transitionTables()));
