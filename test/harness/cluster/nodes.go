package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

var everything = labels.Everything()

// fleetNode is a node as a fleet file has it: YAML or JSON, `nodes:` with a list of these.
type fleetNode struct {
	Name          string                       `json:"name"`
	Architecture  string                       `json:"architecture"`
	Labels        map[string]string            `json:"labels"`
	Annotations   map[string]string            `json:"annotations"`
	Taints        []corev1.Taint               `json:"taints"`
	Unschedulable bool                         `json:"unschedulable"`
	Capacity      map[string]resource.Quantity `json:"capacity"`
}

func readFleet(file string) ([]fleetNode, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var fleet struct {
		Nodes []fleetNode `json:"nodes"`
	}
	if err := yaml.UnmarshalStrict(content, &fleet); err != nil {
		return nil, fmt.Errorf("%s is no fleet file: %w", file, err)
	}
	return fleet.Nodes, nil
}

// object returns the node as its kubelet would register it.
func (n fleetNode) object() *corev1.Node {
	architecture := n.Architecture
	if architecture == "" {
		architecture = "amd64"
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Annotations: n.Annotations, Labels: map[string]string{
			simulatedLabel: "true", corev1.LabelHostname: n.Name, corev1.LabelArchStable: architecture, corev1.LabelOSStable: "linux",
		}},
		Spec: corev1.NodeSpec{Taints: n.Taints, Unschedulable: n.Unschedulable},
		Status: corev1.NodeStatus{Capacity: corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse("16"),
			corev1.ResourceMemory:           resource.MustParse("64Gi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
			corev1.ResourcePods:             resource.MustParse("110"),
		}},
	}
	for name, value := range n.Labels {
		node.Labels[name] = value
	}
	for name, quantity := range n.Capacity {
		node.Status.Capacity[corev1.ResourceName(name)] = quantity
	}
	node.Status.Allocatable = node.Status.Capacity.DeepCopy()
	node.Status.Conditions = []corev1.NodeCondition{nodeCondition(node)}
	return node
}

func (k *kubelets) renewLease(ctx context.Context, node *corev1.Node) {
	leases := k.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	seconds, now := int32(40), metav1.NewMicroTime(time.Now())
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &node.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}
	body, err := json.Marshal(map[string]any{"spec": lease.Spec})
	if err != nil {
		return
	}
	_, err = leases.Patch(ctx, node.Name, types.MergePatchType, body, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	}
	k.report("lease "+node.Name, err)
}
