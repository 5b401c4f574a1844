import { GithubFault, notFound, validationFailed } from '../fault.ts';
import {
  type CheckRun,
  type GithubState,
  type Handler,
  type HandlerRequest,
  htmlUrl,
  type Json,
  nodeId,
  repositoryUrl,
  text,
  value,
} from '../state.ts';

function render(state: GithubState, run: CheckRun): Json {
  const { fields } = run;
  const url = `${repositoryUrl(state)}/check-runs/${run.id}`;
  const output = (fields['output'] ?? {}) as Json;
  const example = state.example('check-run-example-of-completed-conclusion') as Json;
  return {
    ...example,
    id: run.id,
    node_id: nodeId('CheckRun', run.id),
    head_sha: run.headSha,
    external_id: fields['external_id'] ?? '',
    url,
    html_url: `${htmlUrl(state)}/runs/${run.id}`,
    details_url: fields['details_url'] ?? `${htmlUrl(state)}/runs/${run.id}`,
    status: fields['status'] ?? 'queued',
    conclusion: fields['conclusion'] ?? null,
    started_at: fields['started_at'] ?? null,
    completed_at: fields['completed_at'] ?? null,
    name: fields['name'],
    output: {
      title: output['title'] ?? null,
      summary: output['summary'] ?? null,
      text: output['text'] ?? null,
      annotations_count: run.annotations.length,
      annotations_url: `${url}/annotations`,
    },
    pull_requests: [],
  };
}

/** Keeps a create's or update's fields; annotations of an update add to those that are there. */
function merge(state: GithubState, run: CheckRun, body: Json): void {
  const { output, head_sha: _, ...rest } = body;
  const { annotations, ...texts } = (output ?? {}) as Json;
  if (Array.isArray(annotations)) run.annotations.push(...(annotations as Json[]));
  const merged = { ...run.fields, ...rest };
  if (output !== undefined) merged['output'] = { ...(run.fields['output'] as Json | undefined), ...texts };
  if (rest['conclusion'] !== undefined) merged['status'] = 'completed';
  if (merged['status'] === 'completed') {
    if (merged['conclusion'] === undefined) {
      throw new GithubFault(422, `Invalid request.\n\n"conclusion" wasn't supplied.`);
    }
    merged['completed_at'] ??= state.now();
  }
  if (merged['status'] === 'in_progress' || merged['status'] === 'completed')
    merged['started_at'] ??= state.now();
  run.fields = merged;
}

function checkOutput(body: Json): void {
  const output = body['output'] as Json | undefined;
  if (output !== undefined && body['name'] !== undefined && (text(output, 'title') ?? '') === '') {
    throw new GithubFault(422, `Invalid request.\n\nFor 'links/1/schema', "title" wasn't supplied.`);
  }
}

function findRun(request: HandlerRequest, state: GithubState): CheckRun {
  const run = state.checkRuns.find((one) => one.id === Number(request.path['check_run_id']));
  if (run === undefined) throw notFound();
  return run;
}

export const checkHandlers: Readonly<Record<string, Handler>> = {
  'checks/create': async (request, state) => {
    const headSha = text(request.body, 'head_sha') ?? '';
    if (!/^[0-9a-f]{40}$/u.test(headSha) || (await state.git.resolveCommit(headSha)) === undefined) {
      throw new GithubFault(422, `No commit found for SHA: ${headSha}`);
    }
    checkOutput(request.body);
    const run: CheckRun = { id: state.nextId(), headSha, fields: {}, annotations: [] };
    merge(state, run, request.body);
    state.checkRuns.push(run);
    return value(render(state, run), 201);
  },
  'checks/update': (request, state) => {
    const run = findRun(request, state);
    merge(state, run, request.body);
    return value(render(state, run));
  },
  'checks/get': (request, state) => value(render(state, findRun(request, state))),
  'checks/list-annotations': (request, state) => {
    const run = findRun(request, state);
    const blobUrl = `${htmlUrl(state)}/blob/${run.headSha}`;
    const optional = { start_column: null, end_column: null, title: null, raw_details: null };
    return {
      kind: 'list',
      items: run.annotations.map((one) => ({
        ...optional,
        ...one,
        blob_href: `${blobUrl}/${String(one['path'])}`,
      })),
    };
  },
  'checks/list-for-ref': async (request, state) => {
    const sha = await state.git.resolveCommit(request.path['ref'] ?? '');
    if (sha === undefined) throw validationFailed({ resource: 'CheckRun', code: 'invalid', field: 'ref' });
    const { query } = request;
    const ofCommit = state.checkRuns.filter(
      (run) =>
        run.headSha === sha &&
        (query['check_name'] === undefined || run.fields['name'] === query['check_name']) &&
        (query['status'] === undefined || (run.fields['status'] ?? 'queued') === query['status']),
    );
    // `filter=latest`, the default, gives the newest run of each name.
    const newest = new Map(ofCommit.map((run) => [run.fields['name'], run]));
    const shown = query['filter'] === 'all' ? ofCommit : [...newest.values()];
    return {
      kind: 'list',
      items: shown.sort((a, b) => b.id - a.id).map((run) => render(state, run)),
      wrap: (page, total) => ({ total_count: total, check_runs: page }),
    };
  },
};
