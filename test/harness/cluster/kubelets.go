package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/component-base/version"
)

// What drives nodes and pods; README.md describes the values.
const (
	simulatedLabel      = "test.sophia.ai/simulated"
	nodeStateAnnotation = "test.sophia.ai/node-state"
	stateAnnotation     = "test.sophia.ai/state"
	containerAnnotation = "test.sophia.ai/container"
	exitCodeAnnotation  = "test.sophia.ai/exit-code"
	messageAnnotation   = "test.sophia.ai/message"
	backOffAnnotation   = "test.sophia.ai/back-off"
	stopAnnotation      = "test.sophia.ai/stop"
	logsAnnotation      = "test.sophia.ai/logs"
	previousAnnotation  = "test.sophia.ai/previous-logs"
)

const heartbeatPeriod = 10 * time.Second

// kubelets simulates the kubelet of every node that has the label.
type kubelets struct {
	client   kubernetes.Interface
	pods     corelisters.PodLister
	nodes    corelisters.NodeLister
	logsPort int32
	events   record.EventBroadcaster

	mutex     sync.Mutex
	workers   map[types.UID]*worker
	recorders map[string]record.EventRecorder
	addresses int
}

func newClient(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst, config.UserAgent = 500, 1000, "simulated-kubelet"
	return kubernetes.NewForConfig(config)
}

// runKubelets makes the nodes of the fleet, prints `ready` when all of them are, and simulates until it is stopped.
func runKubelets(arguments []string) error {
	flags := flag.NewFlagSet("kubelets", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "of the cluster's administrator")
	fleetFile := flags.String("fleet", "", "file with the nodes to make")
	remove := flags.Bool("remove-nodes", false, "take the fleet's nodes away in the end")
	_ = flags.Parse(arguments)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	fleet, err := readFleet(*fleetFile)
	if err != nil {
		return err
	}
	client, err := newClient(*kubeconfig)
	if err != nil {
		return err
	}
	// Events have a client, and so a rate, of their own: they are many and nobody waits for them.
	eventClient, err := newClient(*kubeconfig)
	if err != nil {
		return err
	}
	k := &kubelets{client: client, workers: map[types.UID]*worker{}, recorders: map[string]record.EventRecorder{}, events: record.NewBroadcaster()}
	k.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: eventClient.CoreV1().Events("")})
	if k.logsPort, err = k.serveLogs(); err != nil {
		return err
	}
	if err := k.watch(ctx); err != nil {
		return err
	}
	for _, one := range fleet {
		if _, err := client.CoreV1().Nodes().Create(ctx, one.object(), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("node %s can't be made: %w", one.Name, err)
		}
	}
	if err := k.waitForNodes(ctx, fleet); err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	if *remove {
		for _, one := range fleet {
			_ = client.CoreV1().Nodes().Delete(context.Background(), one.Name, metav1.DeleteOptions{})
		}
	}
	return nil
}

func (k *kubelets) watch(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(k.client, 0)
	k.pods, k.nodes = factory.Core().V1().Pods().Lister(), factory.Core().V1().Nodes().Lister()
	nodes, pods := factory.Core().V1().Nodes().Informer(), factory.Core().V1().Pods().Informer()
	if _, err := nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.nodeAdded(ctx, object.(*corev1.Node)) },
		UpdateFunc: func(before, after any) { k.nodeChanged(ctx, before.(*corev1.Node), after.(*corev1.Node)) },
	}); err != nil {
		return err
	}
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.podSeen(ctx, object.(*corev1.Pod)) },
		UpdateFunc: func(_, object any) { k.podSeen(ctx, object.(*corev1.Pod)) },
		DeleteFunc: k.podGone,
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for _, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("the API server does not list pods and nodes")
		}
	}
	go k.beat(ctx)
	return nil
}

func (k *kubelets) waitForNodes(ctx context.Context, fleet []fleetNode) error {
	limit := time.Now().Add(60 * time.Second)
	for _, one := range fleet {
		for {
			node, err := k.nodes.Get(one.Name)
			if err == nil && nodeReady(node) {
				break
			}
			if time.Now().After(limit) || ctx.Err() != nil {
				return fmt.Errorf("node %s is not ready after 60 s", one.Name)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// --- nodes

func simulated(node *corev1.Node) bool { return node.Labels[simulatedLabel] == "true" }

func nodeReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// silent says whether the node's kubelet acts on nothing, since the node is lost.
func (k *kubelets) silent(name string) bool {
	node, err := k.nodes.Get(name)
	return err != nil || !simulated(node) || node.Annotations[nodeStateAnnotation] == "lost"
}

func (k *kubelets) nodeAdded(ctx context.Context, node *corev1.Node) {
	if simulated(node) {
		go k.postNode(ctx, node)
		k.visitPods(ctx, node.Name)
	}
}

func (k *kubelets) nodeChanged(ctx context.Context, before, after *corev1.Node) {
	changed := before.Annotations[nodeStateAnnotation] != after.Annotations[nodeStateAnnotation] || simulated(before) != simulated(after)
	if simulated(after) && changed {
		go func() {
			k.postNode(ctx, after)
			k.visitPods(ctx, after.Name)
		}()
	}
}

// visitPods has every pod of a node posted anew: the node controller has marked them as not ready meanwhile.
func (k *kubelets) visitPods(ctx context.Context, node string) {
	k.mutex.Lock()
	var there []*worker
	for _, w := range k.workers {
		if w.node == node {
			there = append(there, w)
		}
	}
	k.mutex.Unlock()
	for _, w := range there {
		go w.post(ctx)
		w.wake()
	}
	if all, err := k.pods.List(everything); err == nil {
		for _, pod := range all {
			if pod.Spec.NodeName == node {
				k.podSeen(ctx, pod)
			}
		}
	}
}

func (k *kubelets) beat(ctx context.Context) {
	ticker := time.NewTicker(heartbeatPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		all, err := k.nodes.List(everything)
		if err != nil {
			continue
		}
		for _, node := range all {
			// One after another they would be late on a slow machine, and the nodes counted as lost.
			if simulated(node) && node.Annotations[nodeStateAnnotation] != "lost" {
				go k.postNode(ctx, node)
			}
		}
	}
}

func nodeCondition(node *corev1.Node) corev1.NodeCondition {
	now := metav1.Now()
	ready := corev1.NodeCondition{Type: corev1.NodeReady, LastHeartbeatTime: now, LastTransitionTime: now}
	switch node.Annotations[nodeStateAnnotation] {
	case "lost":
		// What the node controller would write itself, 50 s after the last heartbeat.
		ready.Status, ready.Reason, ready.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
	case "not-ready":
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, "KubeletNotReady", "container runtime is down"
	default:
		ready.Status, ready.Reason, ready.Message = corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"
	}
	for _, before := range node.Status.Conditions {
		if before.Type == ready.Type && before.Status == ready.Status {
			ready.LastTransitionTime = before.LastTransitionTime
		}
	}
	return ready
}

// postNode does what a kubelet does every ten seconds: it renews its lease and posts its condition and where it is.
func (k *kubelets) postNode(ctx context.Context, node *corev1.Node) {
	ready := nodeCondition(node)
	if ready.Status != corev1.ConditionUnknown {
		k.renewLease(ctx, node)
	}
	architecture := node.Labels["kubernetes.io/arch"]
	if architecture == "" {
		architecture = "amd64"
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{
		"conditions":      []any{ready},
		"addresses":       []any{map[string]any{"type": "InternalIP", "address": "127.0.0.1"}, map[string]any{"type": "Hostname", "address": node.Name}},
		"daemonEndpoints": map[string]any{"kubeletEndpoint": map[string]any{"Port": k.logsPort}},
		"nodeInfo": map[string]any{
			"architecture": architecture, "operatingSystem": "linux", "osImage": "Ubuntu 22.04.5 LTS", "kernelVersion": "6.8.0",
			"containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": version.Get().GitVersion,
		},
	}})
	if err != nil {
		return
	}
	_, err = k.client.CoreV1().Nodes().Patch(ctx, node.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	k.report("node "+node.Name, err)
}

// report writes an error to the log, unless the thing is only gone or the program is ending.
func (k *kubelets) report(what string, err error) {
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	}
}

// --- pods

func (k *kubelets) podSeen(ctx context.Context, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" || k.silent(pod.Spec.NodeName) {
		return
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if w, known := k.workers[pod.UID]; known {
		w.see(pod)
		return
	}
	k.addresses++
	address := fmt.Sprintf("10.244.%d.%d", k.addresses/250%250, k.addresses%250+2)
	w := newWorker(ctx, k, pod, address)
	k.workers[pod.UID] = w
	go w.run()
}

func (k *kubelets) podGone(object any) {
	if tombstone, late := object.(cache.DeletedFinalStateUnknown); late {
		object = tombstone.Obj
	}
	pod, is := object.(*corev1.Pod)
	if !is {
		return
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if w, known := k.workers[pod.UID]; known {
		w.cancel()
		delete(k.workers, pod.UID)
	}
}

func (k *kubelets) recorder(node string) record.EventRecorder {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.recorders[node] == nil {
		k.recorders[node] = k.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: node})
	}
	return k.recorders[node]
}
