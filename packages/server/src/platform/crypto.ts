import { hash } from 'node:crypto';
import type { Runtime } from './runtime.ts';

/** SHA-256, base64url: how everything that grants something is stored. */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** An opaque id of 128 random bits with a prefix for people: `usr_…`. */
export const newId = (runtime: Pick<Runtime, 'random'>, prefix: string): string =>
  `${prefix}_${runtime.random(16).toString('base64url')}`;

/** A bearer value of 256 random bits. */
export const newToken = (runtime: Pick<Runtime, 'random'>): string =>
  runtime.random(32).toString('base64url');
