import type { Operation } from './description.ts';

/** A scope as a workflow's `permissions:` spells it. */
export type PermissionScope =
  | 'actions'
  | 'checks'
  | 'contents'
  | 'deployments'
  | 'issues'
  | 'packages'
  | 'pull-requests'
  | 'statuses';

export type Permissions = Readonly<Partial<Record<PermissionScope, 'read' | 'write' | 'none'>>>;

/** What a pull request from a fork gets: it may read, whatever the workflow asks for. */
export const forkPermissions: Permissions = {
  actions: 'read',
  checks: 'read',
  contents: 'read',
  deployments: 'read',
  issues: 'read',
  packages: 'read',
  'pull-requests': 'read',
  statuses: 'read',
};

/** One alternative is enough, as with comments on a pull request. */
interface Requirement {
  readonly level: 'read' | 'write';
  readonly scopes: readonly PermissionScope[];
}

// From GitHub's page "Permissions required for GitHub Apps" (docs.github.com/rest/authentication).
// The first matching row counts. `metadata: read` is always there and needs no row.
const table: readonly (readonly [pattern: RegExp, scopes: readonly PermissionScope[]])[] = [
  [
    /^issues\/(list-comments|create-comment|get-comment|update-comment|delete-comment)$/u,
    ['issues', 'pull-requests'],
  ],
  [/^issues\//u, ['issues', 'pull-requests']],
  [/^pulls\//u, ['pull-requests']],
  [/^repos\/list-pull-requests-associated-with-commit$/u, ['pull-requests']],
  [/^checks\//u, ['checks']],
  [/^repos\/(create-commit-status|list-commit-statuses-for-ref|get-combined-status-for-ref)$/u, ['statuses']],
  [/^actions\//u, ['actions']],
  [/^git\//u, ['contents']],
  [
    /^repos\/(get-content|create-or-update-file-contents|delete-file|get-commit|list-commits|compare-commits-with-basehead|get-branch|list-branches|merge)$/u,
    ['contents'],
  ],
  [/^repos\/.*deployment/u, ['deployments']],
  [/^packages\//u, ['packages']],
];

function requirementOf(operation: Operation): Requirement | undefined {
  const scopes = table.find(([pattern]) => pattern.test(operation.id))?.[1];
  if (scopes === undefined) return undefined;
  return { level: operation.method === 'get' ? 'read' : 'write', scopes };
}

function holds(given: string | undefined, level: Requirement['level']): boolean {
  return given === 'write' || (given === 'read' && level === 'read');
}

/** The answer's `X-Accepted-GitHub-Permissions`: alternatives are divided by semicolons. */
export function acceptedPermissions(operation: Operation): string {
  const requirement = requirementOf(operation);
  if (requirement === undefined) return 'metadata=read';
  return requirement.scopes.map((scope) => `${scope.replaceAll('-', '_')}=${requirement.level}`).join('; ');
}

/**
 * Whether a token may do this. In a public repository everybody may read; a comment on an issue that is no
 * pull request needs `issues`.
 */
export function isPermitted(
  operation: Operation,
  permissions: Permissions,
  repository: { readonly isPrivate: boolean },
): boolean {
  const requirement = requirementOf(operation);
  if (requirement === undefined) return operation.method === 'get';
  if (requirement.level === 'read' && !repository.isPrivate) return true;
  return requirement.scopes.some((scope) => holds(permissions[scope], requirement.level));
}
