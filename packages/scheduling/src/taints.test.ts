import { describe, expect, it } from 'vitest';
import { judgeTaint, renderTaint, type Tolerance } from './taints.ts';

const taint = { key: 'gpu', value: 'a100', effect: 'NoSchedule' };

describe('judgeTaint', () => {
  // By hand from the documentation, Taints and Tolerations, "a toleration matches a taint if".
  it.each<{ toleration: object; expected: Tolerance }>([
    {
      toleration: { key: 'gpu', operator: 'Equal', value: 'a100', effect: 'NoSchedule' },
      expected: 'tolerated',
    },
    { toleration: { key: 'gpu', value: 'a100', effect: 'NoSchedule' }, expected: 'tolerated' },
    { toleration: { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }, expected: 'tolerated' },
    { toleration: { key: 'gpu', operator: 'Exists' }, expected: 'tolerated' },
    { toleration: { operator: 'Exists' }, expected: 'tolerated' },
    { toleration: { operator: 'Exists', effect: 'NoExecute' }, expected: 'untolerated' },
    { toleration: { key: 'gpu', value: 'a10' }, expected: 'untolerated' },
    { toleration: { key: 'gpu' }, expected: 'untolerated' },
    { toleration: { key: 'gpus', operator: 'Exists' }, expected: 'untolerated' },
    { toleration: { key: 'gpu', operator: 'exists' }, expected: 'untolerated' },
  ])('$toleration: $expected', ({ toleration, expected }) => {
    const whole = { key: '', operator: '', value: '', effect: '', ...toleration };
    expect(judgeTaint(taint, [whole])).toBe(expected);
  });

  it('is not sure of a comparison that only some clusters make', () => {
    const sla = { key: 'sla', value: '950', effect: 'NoSchedule' };
    const toleration = { key: 'sla', operator: 'Gt', value: '900', effect: '' };
    expect(judgeTaint(sla, [toleration])).toBe('unsure');
    expect(judgeTaint(sla, [{ ...toleration, operator: 'Lt' }])).toBe('untolerated');
    expect(judgeTaint(sla, [toleration, { ...toleration, operator: 'Exists' }])).toBe('tolerated');
  });

  it('needs one toleration that matches among many', () => {
    expect(judgeTaint(taint, [])).toBe('untolerated');
    const other = { key: 'spot', operator: 'Exists', value: '', effect: '' };
    expect(judgeTaint(taint, [other, { ...other, key: 'gpu' }])).toBe('tolerated');
  });
});

describe('renderTaint', () => {
  it('writes it as kubectl does', () => {
    expect(renderTaint(taint)).toBe('gpu=a100:NoSchedule');
    expect(renderTaint({ ...taint, value: '' })).toBe('gpu:NoSchedule');
  });
});
