package main

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// serveLogs answers where the API server asks a kubelet for a container's output, and returns its port.
func (k *kubelets) serveLogs() (int32, error) {
	ca, err := newAuthority()
	if err != nil {
		return 0, err
	}
	certificate, key, err := ca.issue(pkix.Name{CommonName: "kubelets"})
	if err != nil {
		return 0, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return 0, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return 0, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.answerLogs)
	go func() { _ = http.Serve(listener, mux) }()
	return int32(listener.Addr().(*net.TCPAddr).Port), nil
}

func (k *kubelets) answerLogs(response http.ResponseWriter, request *http.Request) {
	pod, err := k.pods.Pods(request.PathValue("namespace")).Get(request.PathValue("pod"))
	if err != nil {
		http.Error(response, fmt.Sprintf("pod %q does not exist", request.PathValue("pod")), http.StatusNotFound)
		return
	}
	container, query := request.PathValue("container"), request.URL.Query()
	previous := query.Get("previous") == "true"
	if reason := noLogs(pod, container, previous); reason != "" {
		http.Error(response, reason, http.StatusBadRequest)
		return
	}
	text := logText(pod, container, previous)
	if lines, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		text = lastLines(text, lines)
	}
	if query.Get("timestamps") == "true" {
		text = withTimes(text, runningSince(pod, container))
	}
	if limit, err := strconv.Atoi(query.Get("limitBytes")); err == nil && limit < len(text) {
		text = text[:limit]
	}
	response.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(response, text)
	if query.Get("follow") == "true" && !previous {
		k.follow(response, request, pod, container)
	}
}

// follow holds the answer open for as long as the container runs.
func (k *kubelets) follow(response http.ResponseWriter, request *http.Request, pod *corev1.Pod, container string) {
	if flusher, can := response.(http.Flusher); can {
		flusher.Flush()
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-request.Context().Done():
			return
		case <-ticker.C:
		}
		now, err := k.pods.Pods(pod.Namespace).Get(pod.Name)
		if err != nil || now.UID != pod.UID {
			return
		}
		if status := containerStatus(now, container); status == nil || status.State.Running == nil {
			return
		}
	}
}

func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == name {
				return &statuses[i]
			}
		}
	}
	return nil
}

// noLogs returns why a container has none, in the words of the real kubelet (kubelet_pods.go,
// validateContainerLogStatus), or nothing.
func noLogs(pod *corev1.Pod, container string, previous bool) string {
	status := containerStatus(pod, container)
	subject := fmt.Sprintf("container %q in pod %q", container, pod.Name)
	switch {
	case status == nil:
		return subject + " is not available"
	case previous && status.LastTerminationState.Terminated == nil:
		return "previous terminated " + subject + " not found"
	case previous || status.State.Waiting == nil || status.LastTerminationState.Terminated != nil:
		return ""
	case status.State.Waiting.Reason == "ErrImagePull":
		return subject + " is waiting to start: image can't be pulled"
	case status.State.Waiting.Reason == "ImagePullBackOff":
		return subject + " is waiting to start: trying and failing to pull image"
	default:
		return subject + " is waiting to start: " + status.State.Waiting.Reason
	}
}

// logText returns what the annotations say the container wrote; one with the container's name goes before one without.
func logText(pod *corev1.Pod, container string, previous bool) string {
	names := []string{logsAnnotation + "." + container, logsAnnotation}
	if previous {
		names = append([]string{previousAnnotation + "." + container, previousAnnotation}, names...)
	}
	for _, name := range names {
		if text, is := pod.Annotations[name]; is {
			if text != "" && !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			return text
		}
	}
	return ""
}

func lastLines(text string, count int) string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines[max(0, len(lines)-count):], "")
}

func withTimes(text string, since time.Time) string {
	var out strings.Builder
	for i, line := range strings.SplitAfter(text, "\n") {
		if line != "" {
			out.WriteString(since.Add(time.Duration(i)*time.Millisecond).UTC().Format("2006-01-02T15:04:05.000000000Z") + " " + line)
		}
	}
	return out.String()
}

func runningSince(pod *corev1.Pod, container string) time.Time {
	status := containerStatus(pod, container)
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if state.Running != nil {
			return state.Running.StartedAt.Time
		}
		if state.Terminated != nil {
			return state.Terminated.StartedAt.Time
		}
	}
	return pod.CreationTimestamp.Time
}
