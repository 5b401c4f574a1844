import { GithubFault, notFound, validationFailed } from '../fault.ts';
import {
  type Comment,
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

// The limit GitHub names in its own answer. It counts characters, not bytes.
const bodyLimit = 65_536;

function render(state: GithubState, comment: Comment): Json {
  const isPull = state.pulls.some((pull) => pull.number === comment.issueNumber);
  const page = `${htmlUrl(state)}/${isPull ? 'pull' : 'issues'}/${comment.issueNumber}`;
  const url = `${repositoryUrl(state)}/issues/comments/${comment.id}`;
  return {
    ...(state.example('issue-comment') as Json),
    id: comment.id,
    node_id: nodeId('IssueComment', comment.id),
    url,
    html_url: `${page}#issuecomment-${comment.id}`,
    body: comment.body,
    user: state.user(comment.login),
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    issue_url: `${repositoryUrl(state)}/issues/${comment.issueNumber}`,
    author_association: comment.login === state.repository.owner ? 'OWNER' : 'NONE',
    performed_via_github_app: null,
  };
}

function checkBody(body: string): void {
  if (body.trim() === '') {
    throw validationFailed({ resource: 'IssueComment', code: 'missing_field', field: 'body' });
  }
  if ([...body].length > bodyLimit) {
    const message = `Body is too long (maximum is ${bodyLimit} characters)`;
    throw validationFailed({ resource: 'IssueComment', code: 'unprocessable', field: 'data', message });
  }
}

function issueNumber(request: HandlerRequest, state: GithubState): number {
  const number = Number(request.path['issue_number']);
  const isPull = state.pulls.some((pull) => pull.number === number);
  if (!isPull && !state.issues.has(number)) throw notFound();
  const { permissions } = request.token;
  const isWrite = request.operation.method !== 'get';
  // `pull-requests: write` is for pull requests only.
  if (isWrite && !isPull && permissions.issues !== 'write') {
    throw new GithubFault(403, 'Resource not accessible by integration');
  }
  return number;
}

function findComment(request: HandlerRequest, state: GithubState): Comment {
  const id = Number(request.path['comment_id']);
  const comment = state.comments.find((one) => one.id === id);
  if (comment === undefined) throw notFound();
  return comment;
}

export const commentHandlers: Readonly<Record<string, Handler>> = {
  'issues/list-comments': (request, state) => {
    const number = issueNumber(request, state);
    const since = text(request.query, 'since');
    const found = state.comments
      .filter((one) => one.issueNumber === number && (since === undefined || one.updatedAt >= since))
      .sort((a, b) => a.id - b.id);
    return { kind: 'list', items: found.map((one) => render(state, one)) };
  },
  'issues/create-comment': (request, state) => {
    const number = issueNumber(request, state);
    const body = text(request.body, 'body') ?? '';
    checkBody(body);
    const now = state.now();
    const { login } = request.token;
    const comment = { id: state.nextId(), issueNumber: number, login, createdAt: now, body, updatedAt: now };
    state.comments.push(comment);
    const rendered = render(state, comment);
    return { kind: 'value', status: 201, body: rendered, location: String(rendered['url']) };
  },
  'issues/get-comment': (request, state) => value(render(state, findComment(request, state))),
  'issues/update-comment': (request, state) => {
    const comment = findComment(request, state);
    const body = text(request.body, 'body') ?? '';
    checkBody(body);
    comment.body = body;
    comment.updatedAt = state.now();
    return value(render(state, comment));
  },
  'issues/delete-comment': (request, state) => {
    state.comments.splice(state.comments.indexOf(findComment(request, state)), 1);
    return { kind: 'empty' };
  },
};
