package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/reference"
)

const (
	defaultDelay   = 200 * time.Millisecond
	defaultBackOff = time.Second
	defaultStop    = 100 * time.Millisecond
)

// worker simulates what the kubelet of its node does for one pod.
type worker struct {
	k      *kubelets
	ctx    context.Context
	cancel context.CancelFunc
	node   string
	woken  chan struct{}

	mutex      sync.Mutex
	pod        *corev1.Pod
	address    string
	startTime  metav1.Time
	init       []*corev1.ContainerStatus
	containers []*corev1.ContainerStatus
	conditions map[corev1.PodConditionType]corev1.PodCondition
	// evicted overrules what the containers' states make of the pod.
	evicted string
}

func newWorker(ctx context.Context, k *kubelets, pod *corev1.Pod, address string) *worker {
	w := &worker{
		k: k, node: pod.Spec.NodeName, woken: make(chan struct{}, 1), pod: pod, address: address,
		startTime: metav1.Now(), conditions: map[corev1.PodConditionType]corev1.PodCondition{},
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	waiting := "ContainerCreating"
	if len(pod.Spec.InitContainers) > 0 {
		waiting = "PodInitializing"
	}
	status := func(container corev1.Container) *corev1.ContainerStatus {
		no := false
		return &corev1.ContainerStatus{Name: container.Name, Image: container.Image, Started: &no, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: waiting},
		}}
	}
	for _, container := range pod.Spec.InitContainers {
		w.init = append(w.init, status(container))
	}
	for _, container := range pod.Spec.Containers {
		w.containers = append(w.containers, status(container))
	}
	return w
}

// see takes over a newer version of the pod.
func (w *worker) see(pod *corev1.Pod) {
	w.mutex.Lock()
	w.pod = pod
	w.mutex.Unlock()
	w.wake()
}

func (w *worker) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *worker) current() *corev1.Pod {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.pod
}

// ours returns the annotations that say what is to become of the pod.
func ours(pod *corev1.Pod) map[string]string {
	found := map[string]string{}
	for _, name := range []string{stateAnnotation, containerAnnotation, exitCodeAnnotation, messageAnnotation, backOffAnnotation} {
		if value, is := pod.Annotations[name]; is {
			found[name] = value
		}
	}
	return found
}

// run plays what the annotations say, anew with each change of them, until the pod is to be deleted.
func (w *worker) run() {
	w.post(w.ctx)
	for w.ctx.Err() == nil {
		pod := w.current()
		played := ours(pod)
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.play(ctx)
		}()
		for w.ctx.Err() == nil && pod.DeletionTimestamp == nil && maps.Equal(played, ours(pod)) {
			select {
			case <-w.ctx.Done():
			case <-w.woken:
				pod = w.current()
			}
		}
		stop()
		<-done
		if pod.DeletionTimestamp != nil {
			w.terminate()
			return
		}
	}
}

// step is a state that the pod enters at a time after it was bound, or after its annotations changed.
type step struct {
	state string
	at    time.Duration
}

// parseSteps reads `ready`, `ready@5s` or `ready@1s,crash@10s`.
func parseSteps(text string) ([]step, error) {
	if text == "" {
		text = "ready"
	}
	var steps []step
	for _, one := range strings.Split(text, ",") {
		name, at, timed := strings.Cut(strings.TrimSpace(one), "@")
		delay := defaultDelay
		if timed {
			parsed, err := time.ParseDuration(at)
			if err != nil {
				return nil, err
			}
			delay = parsed
		}
		if states[name] == nil {
			return nil, fmt.Errorf("there is no state %q", name)
		}
		steps = append(steps, step{name, delay})
	}
	return steps, nil
}

func (w *worker) play(ctx context.Context) {
	steps, err := parseSteps(w.current().Annotations[stateAnnotation])
	if err != nil {
		w.event("", corev1.EventTypeWarning, "SimulationError", fmt.Sprintf("Annotation %s can't be read: %v", stateAnnotation, err))
		return
	}
	begin := time.Now()
	for i, one := range steps {
		if !sleep(ctx, time.Until(begin.Add(one.at))) {
			return
		}
		stateCtx, cancel := ctx, context.CancelFunc(func() {})
		if i+1 < len(steps) {
			stateCtx, cancel = context.WithDeadline(ctx, begin.Add(steps[i+1].at))
		}
		states[one.state](stateCtx, w)
		cancel()
	}
}

// sleep returns false where the context ended first.
func sleep(ctx context.Context, duration time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (w *worker) duration(annotation string, otherwise time.Duration) time.Duration {
	if parsed, err := time.ParseDuration(w.current().Annotations[annotation]); err == nil {
		return parsed
	}
	return otherwise
}

// terminate stops the containers as a deletion asks for, and lets go of the pod.
func (w *worker) terminate() {
	pod := w.current()
	takes := w.duration(stopAnnotation, defaultStop)
	exitCode, reason := int32(0), "Completed"
	if pod.DeletionGracePeriodSeconds != nil {
		if grace := time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second; takes > grace {
			takes, exitCode, reason = grace, 137, "Error"
		}
	}
	for _, status := range w.containers {
		if status.State.Running != nil {
			w.event(status.Name, corev1.EventTypeNormal, "Killing", "Stopping container "+status.Name)
		}
	}
	if !sleep(w.ctx, takes) {
		return
	}
	w.mutex.Lock()
	for _, status := range append(w.init, w.containers...) {
		if status.State.Running != nil {
			endContainer(status, reason, exitCode)
		}
	}
	w.mutex.Unlock()
	w.post(w.ctx)
	for w.k.silent(w.node) {
		if !sleep(w.ctx, 200*time.Millisecond) {
			return
		}
	}
	now := int64(0)
	err := w.k.client.CoreV1().Pods(pod.Namespace).Delete(w.ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID},
	})
	w.k.report("pod "+pod.Name, err)
}

// event records what happened to a container, or with no name to the pod, as its kubelet does.
func (w *worker) event(container, kind, reason, message string) {
	pod := w.current()
	about, err := reference.GetReference(scheme.Scheme, pod)
	if err != nil {
		return
	}
	if container != "" {
		about.FieldPath = fmt.Sprintf("spec.containers{%s}", container)
		for _, status := range w.init {
			if status.Name == container {
				about.FieldPath = fmt.Sprintf("spec.initContainers{%s}", container)
			}
		}
	}
	if w.k.silent(w.node) {
		return
	}
	w.k.recorder(w.node).Event(about, kind, reason, message)
}

// change alters the containers' states and posts what comes of it.
func (w *worker) change(ctx context.Context, alter func()) {
	w.mutex.Lock()
	alter()
	w.mutex.Unlock()
	w.post(ctx)
}

// post writes the pod's status; one that has ended its node's contact stays silent.
func (w *worker) post(ctx context.Context) {
	if w.k.silent(w.node) {
		return
	}
	w.mutex.Lock()
	pod := w.pod
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": w.status()})
	w.mutex.Unlock()
	if err == nil {
		_, err = w.k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	}
	w.k.report("pod "+pod.Name, err)
}

func (w *worker) status() map[string]any {
	phase := w.phase()
	status := map[string]any{
		"phase": phase, "startTime": w.startTime, "hostIP": "127.0.0.1", "hostIPs": []any{map[string]any{"ip": "127.0.0.1"}},
		"conditions": w.podConditions(phase), "containerStatuses": w.containers,
	}
	if len(w.init) > 0 {
		status["initContainerStatuses"] = w.init
	}
	if w.running() {
		status["podIP"], status["podIPs"] = w.address, []any{map[string]any{"ip": w.address}}
	}
	if w.evicted != "" {
		status["reason"], status["message"] = "Evicted", w.evicted
	}
	return status
}

func (w *worker) running() bool {
	for _, status := range append(append([]*corev1.ContainerStatus{}, w.init...), w.containers...) {
		if status.State.Waiting == nil || status.LastTerminationState.Terminated != nil {
			return true
		}
	}
	return false
}

// initialized returns the init containers that the others still wait for.
func (w *worker) incomplete() []string {
	var names []string
	for i, status := range w.init {
		sidecar := isSidecar(w.pod.Spec.InitContainers[i])
		complete := status.State.Terminated != nil && status.State.Terminated.ExitCode == 0 && !sidecar
		if !complete && !(sidecar && status.State.Running != nil) {
			names = append(names, status.Name)
		}
	}
	return names
}

func isSidecar(container corev1.Container) bool {
	return container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// phase follows getPhase of the real kubelet (kubelet_pods.go).
func (w *worker) phase() corev1.PodPhase {
	if w.evicted != "" {
		return corev1.PodFailed
	}
	ending, never := w.pod.DeletionTimestamp != nil, w.pod.Spec.RestartPolicy == corev1.RestartPolicyNever
	for _, status := range w.init {
		if status.State.Terminated != nil && status.State.Terminated.ExitCode != 0 && never {
			return corev1.PodFailed
		}
	}
	waiting, running, stopped, succeeded := 0, 0, 0, 0
	for _, status := range w.containers {
		switch {
		case status.State.Running != nil:
			running++
		case status.State.Terminated != nil:
			stopped++
			if status.State.Terminated.ExitCode == 0 {
				succeeded++
			}
		case status.LastTerminationState.Terminated != nil:
			running++
		default:
			waiting++
		}
	}
	restarts := w.pod.Spec.RestartPolicy == corev1.RestartPolicyAlways && !ending
	switch {
	case len(w.incomplete()) > 0 && !ending, waiting > 0:
		return corev1.PodPending
	case running > 0, restarts:
		return corev1.PodRunning
	case stopped == succeeded:
		return corev1.PodSucceeded
	case never || ending:
		return corev1.PodFailed
	default:
		return corev1.PodRunning
	}
}

func (w *worker) podConditions(phase corev1.PodPhase) []corev1.PodCondition {
	incomplete := w.incomplete()
	var unready []string
	for _, status := range w.containers {
		if !status.Ready {
			unready = append(unready, status.Name)
		}
	}
	containersReady := w.condition(corev1.ContainersReady, unready, "ContainersNotReady", "unready")
	if phase == corev1.PodSucceeded || phase == corev1.PodFailed {
		containersReady.Status, containersReady.Reason, containersReady.Message = corev1.ConditionFalse, "PodCompleted", ""
		if phase == corev1.PodFailed {
			containersReady.Reason = "PodFailed"
		}
	}
	ready := containersReady
	ready.Type = corev1.PodReady
	conditions := []corev1.PodCondition{
		w.condition(corev1.PodReadyToStartContainers, nil, "", ""),
		w.condition(corev1.PodInitialized, incomplete, "ContainersNotInitialized", "incomplete"),
		containersReady, ready,
	}
	for i, condition := range conditions {
		before, known := w.conditions[condition.Type]
		if known && before.Status == condition.Status {
			conditions[i].LastTransitionTime = before.LastTransitionTime
		}
		w.conditions[condition.Type] = conditions[i]
	}
	return conditions
}

// condition is true where no container is lacking, else it names those that are.
func (w *worker) condition(kind corev1.PodConditionType, lacking []string, reason, word string) corev1.PodCondition {
	condition := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}
	if len(lacking) > 0 {
		condition.Status, condition.Reason = corev1.ConditionFalse, reason
		condition.Message = fmt.Sprintf("containers with %s status: %v", word, lacking)
	}
	return condition
}

// --- containers

func startContainer(pod *corev1.Pod, status *corev1.ContainerStatus) {
	yes := true
	status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	status.ContainerID = fmt.Sprintf("containerd://%x", sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", pod.UID, status.Name, status.RestartCount)))
	status.ImageID = fmt.Sprintf("%s@sha256:%x", strings.SplitN(status.Image, "@", 2)[0], sha256.Sum256([]byte(status.Image)))
	if _, digest, pinned := strings.Cut(status.Image, "@"); pinned {
		status.ImageID = strings.SplitN(status.Image, "@", 2)[0] + "@" + digest
	}
	status.Started = &yes
}

func endContainer(status *corev1.ContainerStatus, reason string, exitCode int32) {
	no := false
	ended := &corev1.ContainerStateTerminated{Reason: reason, ExitCode: exitCode, FinishedAt: metav1.Now(), StartedAt: metav1.Now(), ContainerID: status.ContainerID}
	if status.State.Running != nil {
		ended.StartedAt = status.State.Running.StartedAt
	}
	status.State, status.Ready, status.Started = corev1.ContainerState{Terminated: ended}, false, &no
}

func waitContainer(status *corev1.ContainerStatus, reason, message string) {
	no := false
	if status.State.Terminated != nil {
		status.LastTerminationState = status.State
	}
	status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	status.Ready, status.Started = false, &no
}
