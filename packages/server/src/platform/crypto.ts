import { hash } from 'node:crypto';
import type { Runtime } from './runtime.ts';

/** SHA-256, base64url: how everything that grants something is stored. */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** An opaque id of 128 random bits with a prefix for people: `usr_…`. */
export const newId = (runtime: Pick<Runtime, 'random'>, prefix: string): string =>
  `${prefix}_${runtime.random(16).toString('base64url')}`;

/**
 * The same for rows that are added by the hundred: it begins with its time, so that they go to one end of their index and not to as many places as
 * there are rows; then 80 random bits.
 */
export const newTimedId = (runtime: Pick<Runtime, 'random'>, prefix: string, at: number): string =>
  `${prefix}_${Math.floor(at).toString(36).padStart(9, '0')}${runtime.random(10).toString('base64url')}`;

/** A bearer value of 256 random bits. */
export const newToken = (runtime: Pick<Runtime, 'random'>): string =>
  runtime.random(32).toString('base64url');
