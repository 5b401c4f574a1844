import { describe, expect, it } from 'vitest';
import { createAnswerError } from './api-errors.ts';

function errorOf(status: number, body: object | string, secrets: readonly string[] = []) {
  const text = typeof body === 'string' ? body : JSON.stringify({ kind: 'Status', code: status, ...body });
  return createAnswerError({
    host: 'api.example:6443',
    operation: 'apply Deployment inference/vllm',
    status,
    body: new TextEncoder().encode(text),
    secrets,
  });
}

// The API server's sentences are from Kubernetes 1.37.
describe('createAnswerError', () => {
  it.each([
    [
      403,
      'pods "a" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=3, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=2',
      'exceeded quota: gpus, requested: requests.nvidia.com/gpu=3, used: requests.nvidia.com/gpu=0, limit…. Ask for less, or raise the quota.',
    ],
    [
      403,
      'admission webhook "policy.example" denied the request: no GPUs here',
      'admission webhook "policy.example" denied the request: no GPUs here. Change it to what the cluster accepts.',
    ],
    [
      403,
      'pods "a" is forbidden: unable to create new content in namespace x because it is being terminated',
      'unable to create new content in namespace x because it is being terminated. Wait until the namespace is gone, or take another.',
    ],
    [
      500,
      'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: context deadline exceeded',
      'Internal error occurred: failed calling webhook "policy.example": failed to call webhook: context dead…. Check that the webhook is up.',
    ],
    [
      404,
      'namespaces "inference" not found',
      'namespaces "inference" not found. Create what is missing, or correct the name.',
    ],
    [
      409,
      'Operation cannot be fulfilled on deployments.apps "vllm": the object has been modified; please apply your changes to the latest version and try again',
      'Operation cannot be fulfilled on deployments.apps "vllm": the object has been modified; please apply your changes to t…. Run it again.',
    ],
    [413, '', 'Make the object smaller.'],
  ])('%i %s', (status, message, expected) => {
    const error = errorOf(status, { message });
    const start = `api.example:6443 answered ${status} to apply Deployment inference/vllm`;
    expect(error.message).toBe(message === '' ? `${start}. ${expected}` : `${start}: ${expected}`);
    // What has to be cut is cut so that no more than that is lost.
    if (expected.includes('…')) expect(error.message).toHaveLength(200);
    expect(error.answer).toBe(message);
  });

  it('finds the fields of an apply that has some its kind has not', () => {
    const one =
      'failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema';
    expect(errorOf(500, { message: one })).toMatchObject({
      reason: 'Invalid',
      isTemporary: false,
      causes: [{ field: '.spec.replica', message: 'field not declared in schema' }],
    });
    const many =
      'failed to create typed patch object (a/b; apps/v1, Kind=Deployment): errors:\n  .spec.replica: field not declared in schema\n  .spec.template.spec.containers[name="a"].imagee: field not declared in schema';
    expect(errorOf(500, { message: many }).causes.map(({ field }) => field)).toEqual([
      '.spec.replica',
      '.spec.template.spec.containers[name="a"].imagee',
    ]);
  });

  it('tells what may pass from what stays', () => {
    const isTemporary = (status: number, body: object = {}) => errorOf(status, body).isTemporary;
    expect([429, 500, 502, 503, 504, 408].map((status) => isTemporary(status))).toEqual(Array(6).fill(true));
    expect([400, 401, 403, 404, 410, 413, 422].map((status) => isTemporary(status))).toEqual(
      Array(7).fill(false),
    );
    // Two kinds of 409: someone else was faster, or someone else owns the field.
    expect(isTemporary(409, { reason: 'Conflict' })).toBe(true);
    const causes = [{ reason: 'FieldManagerConflict', field: '.spec', message: 'conflict with "a"' }];
    expect(isTemporary(409, { reason: 'Conflict', details: { causes } })).toBe(false);
    expect(isTemporary(409, { reason: 'AlreadyExists' })).toBe(false);
  });

  it('bounds what comes from outside and takes secrets out of it', () => {
    const causes = Array.from({ length: 500 }, () => ({
      field: 'f\n'.repeat(1_000),
      reason: 'R',
      message: 'm'.repeat(9_000),
    }));
    const error = errorOf(422, { message: `s3cr3t ${'x'.repeat(100_000)}`, details: { causes } }, ['s3cr3t']);
    expect(error.answer.startsWith('*** xxx')).toBe(true);
    expect(error.answer.length).toBe(8_000);
    expect(error.causes).toHaveLength(100);
    expect(error.causes[0]?.message.length).toBe(1_000);
    expect(error.causes[0]?.field).not.toContain('\n');
  });

  it.each([
    ['<!DOCTYPE html><html>log in</html>', 'an HTML page, as a proxy or log-in gives it'],
    ['upstream connect error', 'upstream connect error'],
    ['{"kind":"Status","message":7,"details":"x"}', ''],
    ['{"kind":"Other"}', '{"kind":"Other"}'],
  ])('takes a body that is no Status: %s', (body, answer) => {
    expect(errorOf(503, body).answer).toBe(answer);
  });
});
