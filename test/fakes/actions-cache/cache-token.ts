import { Buffer } from 'node:buffer';
import * as z from 'zod/mini';

/** A git ref whose entries a run may read, or read and write. */
export interface CacheScope {
  readonly scope: string;
  readonly permission: 'read' | 'write';
}

// The bits of the claim: 1 reads, 2 writes.
const permissionBits = { read: 1, write: 3 } as const;

export interface CacheTokenOptions {
  /** In the order they are searched; the first that may be written is written to. */
  readonly scopes: readonly CacheScope[];
  /** Milliseconds since 1970; now when left out. */
  readonly issuedAtMs?: number;
  readonly lifetimeSeconds?: number;
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/**
 * Makes an ACTIONS_RUNTIME_TOKEN: an unsigned JWT with the claims that clients of the cache read (`ac`,
 * `nbf`, `exp`) and the one of the artifact client (`scp`). BuildKit refuses a token without a time.
 */
export function createCacheToken(options: CacheTokenOptions): string {
  const issuedAt = Math.floor((options.issuedAtMs ?? Date.now()) / 1000);
  const scopes = options.scopes.map((one) => ({
    Scope: one.scope,
    Permission: permissionBits[one.permission],
  }));
  const claims = {
    ac: JSON.stringify(scopes),
    scp: 'Actions.Results:00000000-0000-0000-0000-000000000001:00000000-0000-0000-0000-000000000002',
    nbf: issuedAt - 60,
    iat: issuedAt,
    exp: issuedAt + (options.lifetimeSeconds ?? 6 * 3600),
  };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}

/**
 * The scopes GitHub gives a run: its own ref to write, then its base branch and the default branch to read.
 *
 * @param ref Full, such as `refs/heads/x` or `refs/pull/7/merge`.
 * @param isReadOnly As for a run that an untrusted event started: nothing may be written.
 */
export function scopesOfRun(run: {
  readonly ref: string;
  readonly baseRef?: string;
  readonly defaultBranch?: string;
  readonly isReadOnly?: boolean;
}): CacheScope[] {
  const branches = [run.baseRef, run.defaultBranch ?? 'main'].filter((one) => one !== undefined);
  const others = new Set(branches.map((branch) => `refs/heads/${branch}`));
  others.delete(run.ref);
  return [
    { scope: run.ref, permission: run.isReadOnly === true ? 'read' : 'write' },
    ...[...others].map((scope): CacheScope => ({ scope, permission: 'read' })),
  ];
}

const claimsSchema = z.object({ ac: z.string(), nbf: z.number(), exp: z.number() });
const scopesSchema = z.array(z.object({ Scope: z.string(), Permission: z.number() }));

/** Reads a bearer token back; undefined where it is none, or its time is over or has not come. */
export function readCacheToken(
  authorization: string | undefined,
  nowMs: number,
): readonly CacheScope[] | undefined {
  const payload = /^bearer [^.]+\.([^.]+)\.[^.]*$/iu.exec(authorization ?? '')?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims = claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    if (nowMs < claims.nbf * 1000 || nowMs > claims.exp * 1000) return undefined;
    return scopesSchema
      .parse(JSON.parse(claims.ac))
      .filter((one) => (one.Permission & 1) !== 0)
      .map((one) => ({ scope: one.Scope, permission: (one.Permission & 2) !== 0 ? 'write' : 'read' }));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.core.$ZodError) return undefined;
    throw error;
  }
}
