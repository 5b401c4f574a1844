package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// runsFor is how long a container that crashes lives.
const runsFor = 150 * time.Millisecond

// states are what annotations can name; each returns at once or when its context ends.
var states map[string]func(context.Context, *worker)

func init() {
	states = map[string]func(context.Context, *worker){
		"ready":     func(ctx context.Context, w *worker) { w.serve(ctx, true) },
		"unready":   func(ctx context.Context, w *worker) { w.serve(ctx, false) },
		"hang":      func(context.Context, *worker) {},
		"crash":     func(ctx context.Context, w *worker) { w.endAgainAndAgain(ctx, "Error", w.exitCode()) },
		"oom":       func(ctx context.Context, w *worker) { w.endAgainAndAgain(ctx, "OOMKilled", 137) },
		"completed": func(ctx context.Context, w *worker) { w.endAgainAndAgain(ctx, "Completed", 0) },
		"image-not-found": func(ctx context.Context, w *worker) {
			w.failToPull(ctx, "rpc error: code = NotFound desc = failed to pull and unpack image %[1]q: failed to resolve reference %[1]q: %[2]s: not found")
		},
		"image-denied": func(ctx context.Context, w *worker) {
			w.failToPull(ctx, "failed to pull and unpack image %[1]q: failed to resolve reference %[1]q: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed")
		},
		"config-missing": func(ctx context.Context, w *worker) {
			if target := w.target(); w.begin(ctx, target) {
				w.lackConfig(ctx, target, w.message(`secret "missing" not found`))
			}
		},
		"evicted": evict,
	}
}

// target returns the container that the state is about: the one that is named, else the pod's first.
func (w *worker) target() *corev1.ContainerStatus {
	name := w.current().Annotations[containerAnnotation]
	for _, status := range append(append([]*corev1.ContainerStatus{}, w.init...), w.containers...) {
		if status.Name == name {
			return status
		}
	}
	return w.containers[0]
}

func (w *worker) message(otherwise string) string {
	if text, is := w.current().Annotations[messageAnnotation]; is {
		return text
	}
	return otherwise
}

func (w *worker) exitCode() int32 {
	if code, err := strconv.ParseInt(w.current().Annotations[exitCodeAnnotation], 10, 32); err == nil {
		return int32(code)
	}
	return 1
}

// begin brings up all containers but the target; where that is an init container, only those before it.
// It returns false where the context ended while the pod's configuration was missing.
func (w *worker) begin(ctx context.Context, target *corev1.ContainerStatus) bool {
	if !w.waitForConfig(ctx) {
		return false
	}
	var started []string
	w.change(ctx, func() {
		for i, status := range w.init {
			if status == target {
				return
			}
			started = append(started, w.bringUpInit(i, status)...)
		}
		for _, status := range w.containers {
			if status != target && status.State.Running == nil {
				startContainer(w.pod, status)
				status.Ready = true
				started = append(started, status.Name)
			}
		}
	})
	w.startEvents(started)
	return true
}

// bringUpInit has an init container behind it, a sidecar run; it returns the name of one that was not so already.
func (w *worker) bringUpInit(index int, status *corev1.ContainerStatus) []string {
	sidecar := isSidecar(w.pod.Spec.InitContainers[index])
	if status.State.Running != nil && sidecar || status.State.Terminated != nil && status.State.Terminated.ExitCode == 0 {
		return nil
	}
	startContainer(w.pod, status)
	status.Ready = true
	if !sidecar {
		endContainer(status, "Completed", 0)
		status.Ready = true
	}
	return []string{status.Name}
}

func (w *worker) startEvents(names []string) {
	for _, name := range names {
		image := ""
		if status := w.byName(name); status != nil {
			image = status.Image
		}
		w.event(name, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine", image))
		w.event(name, corev1.EventTypeNormal, "Created", "Container created")
		w.event(name, corev1.EventTypeNormal, "Started", "Container started")
	}
}

func (w *worker) byName(name string) *corev1.ContainerStatus {
	for _, status := range append(append([]*corev1.ContainerStatus{}, w.init...), w.containers...) {
		if status.Name == name {
			return status
		}
	}
	return nil
}

// serve runs all containers; the target passes its readiness probe or fails it again and again.
func (w *worker) serve(ctx context.Context, ready bool) {
	target := w.target()
	if !w.begin(ctx, target) {
		return
	}
	wasRunning := target.State.Running != nil
	isInit := w.isInit(target)
	w.change(ctx, func() {
		if target.State.Waiting != nil && target.LastTerminationState.Terminated != nil || target.State.Terminated != nil && !isInit {
			waitContainer(target, "", "")
			target.RestartCount++
		}
		if target.State.Running == nil && !isInit {
			startContainer(w.pod, target)
		}
		target.Ready = ready
	})
	if isInit {
		w.change(ctx, func() { w.bringUpInit(w.initIndex(target), target) })
		w.begin(ctx, nil)
		return
	}
	if !wasRunning {
		w.startEvents([]string{target.Name})
	}
	for !ready {
		w.event(target.Name, corev1.EventTypeWarning, "Unhealthy", "Readiness probe failed: "+w.message("HTTP probe failed with statuscode: 503"))
		if !sleep(ctx, 2*time.Second) {
			return
		}
	}
}

func (w *worker) isInit(target *corev1.ContainerStatus) bool { return w.initIndex(target) >= 0 }

func (w *worker) initIndex(target *corev1.ContainerStatus) int {
	for i, status := range w.init {
		if status == target {
			return i
		}
	}
	return -1
}

// endAgainAndAgain has the target end, and restarts it as the pod's policy says, after a time that doubles.
func (w *worker) endAgainAndAgain(ctx context.Context, reason string, exitCode int32) {
	target := w.target()
	if !w.begin(ctx, target) {
		return
	}
	if exitCode == 0 && w.isInit(target) {
		w.serve(ctx, true)
		return
	}
	backOff := w.duration(backOffAnnotation, defaultBackOff)
	for restart := false; ; restart = true {
		if target.State.Running == nil {
			w.change(ctx, func() {
				if restart {
					target.RestartCount++
				}
				startContainer(w.pod, target)
			})
			w.startEvents([]string{target.Name})
		}
		if !sleep(ctx, runsFor) {
			return
		}
		w.change(ctx, func() { endContainer(target, reason, exitCode) })
		if !w.restarts(exitCode) {
			w.change(ctx, w.endSidecars)
			return
		}
		if !sleep(ctx, runsFor) {
			return
		}
		pod := w.current()
		full := fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
		w.change(ctx, func() {
			waitContainer(target, "CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", backOff, target.Name, full))
		})
		w.event(target.Name, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s", target.Name, full))
		if !sleep(ctx, backOff) {
			return
		}
		backOff = min(2*backOff, 300*time.Second)
	}
}

// endSidecars stops what ran beside the pod's containers, once all of those have ended.
func (w *worker) endSidecars() {
	for _, status := range w.containers {
		if status.State.Terminated == nil {
			return
		}
	}
	for _, status := range w.init {
		if status.State.Running != nil {
			endContainer(status, "Completed", 0)
		}
	}
}

func (w *worker) restarts(exitCode int32) bool {
	switch w.current().Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	default:
		return true
	}
}

// failToPull has the target's image fail to come, with an error of containerd's.
func (w *worker) failToPull(ctx context.Context, format string) {
	target := w.target()
	if !w.begin(ctx, target) {
		return
	}
	image := target.Image
	reason := w.message(fmt.Sprintf(format, image, image))
	backOff := w.duration(backOffAnnotation, defaultBackOff)
	for {
		w.event(target.Name, corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", image))
		w.event(target.Name, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %s", image, reason))
		w.event(target.Name, corev1.EventTypeWarning, "Failed", "Error: ErrImagePull")
		w.change(ctx, func() { waitContainer(target, "ErrImagePull", reason) })
		if !sleep(ctx, runsFor) {
			return
		}
		message := fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, reason)
		w.event(target.Name, corev1.EventTypeNormal, "BackOff", fmt.Sprintf("Back-off pulling image %q", image))
		w.event(target.Name, corev1.EventTypeWarning, "Failed", "Error: ImagePullBackOff")
		w.change(ctx, func() { waitContainer(target, "ImagePullBackOff", message) })
		if !sleep(ctx, backOff) {
			return
		}
		backOff = min(2*backOff, 300*time.Second)
	}
}

func (w *worker) lackConfig(ctx context.Context, target *corev1.ContainerStatus, reason string) {
	w.change(ctx, func() { waitContainer(target, "CreateContainerConfigError", reason) })
	w.event(target.Name, corev1.EventTypeWarning, "Failed", "Error: "+reason)
}

func evict(ctx context.Context, w *worker) {
	if !w.begin(ctx, nil) {
		return
	}
	message := w.message("The node was low on resource: memory. ")
	w.change(ctx, func() {
		w.evicted = message
		for _, status := range w.containers {
			if status.State.Running != nil {
				endContainer(status, "Error", 137)
			}
		}
	})
	w.event("", corev1.EventTypeWarning, "Evicted", message)
}

// waitForConfig holds a pod that refers to a ConfigMap or Secret which is not there, as a real kubelet does.
// It returns false where the context ended first.
func (w *worker) waitForConfig(ctx context.Context) bool {
	for {
		container, volume, reason := w.missingConfig(ctx)
		switch {
		case reason == "":
			return ctx.Err() == nil
		case volume != "":
			w.event("", corev1.EventTypeWarning, "FailedMount", fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", volume, reason))
		default:
			w.lackConfig(ctx, w.byName(container), reason)
		}
		if !sleep(ctx, time.Second) {
			return false
		}
	}
}

// needed is a ConfigMap or Secret that a pod needs, or one key of it.
type needed struct{ container, volume, kind, name, key string }

func (w *worker) missingConfig(ctx context.Context) (container, volume, reason string) {
	pod := w.current()
	for _, one := range neededConfig(pod) {
		keys, err := w.keysOf(ctx, pod.Namespace, one)
		lower := map[string]string{"ConfigMap": "configmap", "Secret": "secret"}[one.kind]
		switch {
		case apierrors.IsNotFound(err):
			return one.container, one.volume, fmt.Sprintf("%s %q not found", lower, one.name)
		case err == nil && one.key != "" && !keys[one.key]:
			return one.container, one.volume, fmt.Sprintf("couldn't find key %s in %s %s/%s", one.key, one.kind, pod.Namespace, one.name)
		}
	}
	return "", "", ""
}

func (w *worker) keysOf(ctx context.Context, namespace string, one needed) (map[string]bool, error) {
	keys := map[string]bool{}
	if one.kind == "Secret" {
		secret, err := w.k.client.CoreV1().Secrets(namespace).Get(ctx, one.name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for key := range secret.Data {
			keys[key] = true
		}
		return keys, nil
	}
	config, err := w.k.client.CoreV1().ConfigMaps(namespace).Get(ctx, one.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	for key := range config.Data {
		keys[key] = true
	}
	for key := range config.BinaryData {
		keys[key] = true
	}
	return keys, nil
}

// neededConfig lists what the pod can't start without: volumes first, as they are mounted first.
func neededConfig(pod *corev1.Pod) []needed {
	var found []needed
	for _, volume := range pod.Spec.Volumes {
		if source := volume.ConfigMap; source != nil && !isTrue(source.Optional) {
			found = append(found, needed{volume: volume.Name, kind: "ConfigMap", name: source.Name})
		}
		if source := volume.Secret; source != nil && !isTrue(source.Optional) {
			found = append(found, needed{volume: volume.Name, kind: "Secret", name: source.SecretName})
		}
	}
	for _, container := range append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
		for _, from := range container.EnvFrom {
			if source := from.ConfigMapRef; source != nil && !isTrue(source.Optional) {
				found = append(found, needed{container: container.Name, kind: "ConfigMap", name: source.Name})
			}
			if source := from.SecretRef; source != nil && !isTrue(source.Optional) {
				found = append(found, needed{container: container.Name, kind: "Secret", name: source.Name})
			}
		}
		for _, variable := range container.Env {
			if variable.ValueFrom == nil {
				continue
			}
			if source := variable.ValueFrom.ConfigMapKeyRef; source != nil && !isTrue(source.Optional) {
				found = append(found, needed{container: container.Name, kind: "ConfigMap", name: source.Name, key: source.Key})
			}
			if source := variable.ValueFrom.SecretKeyRef; source != nil && !isTrue(source.Optional) {
				found = append(found, needed{container: container.Name, kind: "Secret", name: source.Name, key: source.Key})
			}
		}
	}
	return found
}

func isTrue(value *bool) bool { return value != nil && *value }
