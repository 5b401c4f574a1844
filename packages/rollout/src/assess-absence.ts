import type { Finding, FindingClass } from './finding.ts';
import { type Words, writeLine } from './finding-text.ts';
import type { Memory } from './memory.ts';
import type { ObservedRollout, RolloutAssessment } from './rollout-assessment.ts';
import { nameWorkload, readWorkload } from './workload.ts';

const watchLagMs = 10_000;

/** Judges a rollout whose object isn't seen or can't be read. */
export function assessAbsence(observed: ObservedRollout, seen: Memory): RolloutAssessment {
  const written = readWorkload(observed.written);
  const subject = written === undefined ? 'The workload' : nameWorkload(written);
  const isAbsent = observed.workload === undefined || observed.workload === null;
  // A watch brings what was just written a moment later.
  const wasThere = seen.template !== undefined || observed.nowMs - observed.appliedAtMs >= watchLagMs;
  const isGone = isAbsent && wasThere;
  const isLate = observed.nowMs >= observed.deadlineMs;
  const make = (code: Finding['code'], kind: FindingClass, words: Words): Finding => ({
    code,
    class: kind,
    subject,
    message: writeLine(subject, words),
    details: [],
    nodes: [],
    container: undefined,
  });
  const gone = make('superseded', 'failed', {
    wrong: 'is gone',
    seen: ['someone deleted it during its rollout'],
    fix: 'Leave it to whoever did',
  });
  const unread = make('unknown', isLate ? 'timeout' : 'suspected', {
    wrong: 'can not be read',
    seen: ['the API gave no object with metadata'],
    fix: 'Check what answers as its API server',
  });
  return {
    memory: seen,
    state: isGone
      ? { kind: 'superseded', finding: gone }
      : isLate
        ? { kind: 'failed', finding: unread }
        : { kind: 'progressing' },
    progress: { desired: 0, updated: 0, ready: 0, available: 0, old: 0 },
    also: isAbsent || isLate ? [] : [unread],
    askedImages: [],
    askedObjects: [],
    nextLookMs: isGone || isLate ? undefined : Math.min(observed.deadlineMs, observed.nowMs + watchLagMs),
    newPods: [],
  };
}
