import type { Pod } from '@sophia/scheduling';

/**
 * A DaemonSet's Pod as its controller makes it: it tolerates what nodes go through, and cordons.
 *
 * @see `AddOrUpdateDaemonPodTolerations` in kubernetes `pkg/controller/daemon/util/daemonset_util.go`
 */
export function toDaemonPod(pod: Pod): Pod {
  const added = [
    ['node.kubernetes.io/not-ready', 'NoExecute'],
    ['node.kubernetes.io/unreachable', 'NoExecute'],
    ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
    ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
    ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
    ['node.kubernetes.io/unschedulable', 'NoSchedule'],
  ].map(([key = '', effect = '']) => ({ key, operator: 'Exists', value: '', effect }));
  return { ...pod, tolerations: [...pod.tolerations, ...added] };
}
