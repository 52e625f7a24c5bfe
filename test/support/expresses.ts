// Both majors of Express, for tests that must hold on each.
import { createRequire } from 'node:module';
import type express from 'express';

const require = createRequire(import.meta.url);
export const expresses = ['express', 'express4'].map((name) => [name, require(name) as typeof express] as const);
