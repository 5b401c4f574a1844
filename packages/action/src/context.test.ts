import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkedCommit, readContext } from './context.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'event-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function contextOf(eventName: string, payload: unknown) {
  const file = join(folder, 'event.json');
  writeFileSync(file, typeof payload === 'string' ? payload : JSON.stringify(payload));
  return readContext({ GITHUB_SHA: 'run', GITHUB_EVENT_NAME: eventName, GITHUB_EVENT_PATH: file });
}

const pull = { pull_request: { number: 7, head: { sha: 'head' }, base: { sha: 'base' } } };
const queue = {
  merge_group: { head_sha: 'queued', base_sha: 'base', head_ref: 'refs/heads/gh-readonly-queue/main' },
};

describe('the commit that a check counts on', () => {
  // The payloads as GitHub documents them for each event.
  it.each([
    ['pull_request', pull, 'head'],
    ['pull_request_target', pull, 'head'],
    ['pull_request_review', pull, 'head'],
    ['merge_group', queue, 'queued'],
    ['push', { after: 'run' }, 'run'],
    ['workflow_dispatch', { inputs: {} }, 'run'],
    ['schedule', {}, 'run'],
    ['pull_request', {}, 'run'],
    ['pull_request', 'not JSON', 'run'],
    ['merge_group', { merge_group: { head_sha: 5 } }, 'run'],
  ])('of %s is right', (eventName, payload, commit) => {
    expect(checkedCommit(contextOf(eventName, payload))).toBe(commit);
  });

  it('comes with the base of the change', () => {
    expect(contextOf('pull_request', pull).event.pullRequest?.baseSha).toBe('base');
    expect(contextOf('merge_group', queue).event.mergeGroup?.baseSha).toBe('base');
  });
});
