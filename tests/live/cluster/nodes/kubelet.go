package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// A Node is served if it has this annotation: its allocatable amounts, as in `cpu=4,memory=16Gi,pods=110`. With `lab/silent` it is not
// heard of any more, as if its machine were lost.
const (
	servedNode = "lab/node"
	silentNode = "lab/silent"
	leases     = "kube-node-lease"
)

// kubelet plays the kubelets of all served nodes. One goroutine leads the life of one pod and alone writes its status.
type kubelet struct {
	client kubernetes.Interface
	port   int
	pods   listers.PodLister
	nodes  listers.NodeLister

	mutex   sync.Mutex
	lives   map[types.UID]*life
	counts  map[types.UID]int // pods seen so far of a controller
	numbers map[types.UID]int // of each pod among those of its controller, by order of creation
	last    int               // the last pod address given
}

// newKubelet registers what is to be done with nodes and pods; the factory is yet to be started.
func newKubelet(ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory, port int) *kubelet {
	k := &kubelet{client: client, port: port, lives: map[types.UID]*life{}, counts: map[types.UID]int{}, numbers: map[types.UID]int{}}
	k.pods, k.nodes = factory.Core().V1().Pods().Lister(), factory.Core().V1().Nodes().Lister()
	_, _ = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.seeNode(ctx, object.(*core.Node)) },
		UpdateFunc: func(_, object any) { k.seeNode(ctx, object.(*core.Node)) },
	})
	_, _ = factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.seePod(ctx, object.(*core.Pod)) },
		UpdateFunc: func(_, object any) { k.seePod(ctx, object.(*core.Pod)) },
		DeleteFunc: func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if pod, ok := object.(*core.Pod); ok {
				k.forget(pod.UID)
			}
		},
	})
	return k
}

// seeNode gives a served node its status as soon as it is there, and again when its amounts change.
func (k *kubelet) seeNode(ctx context.Context, node *core.Node) {
	amounts, served := node.Annotations[servedNode]
	if !served || node.Annotations[silentNode] != "" {
		return
	}
	allocatable := quantities(amounts)
	same := len(node.Status.Conditions) > 0 && ready(node) == core.ConditionTrue
	for name, quantity := range allocatable {
		same = same && quantity.Cmp(node.Status.Allocatable[name]) == 0
	}
	if same {
		return
	}
	k.renew(ctx, node.Name)
	now := meta.Now()
	condition := func(kind core.NodeConditionType, status core.ConditionStatus) core.NodeCondition {
		return core.NodeCondition{
			Type: kind, Status: status, Reason: "Lab", Message: "said by a test", LastHeartbeatTime: now, LastTransitionTime: now,
		}
	}
	status := core.NodeStatus{
		Capacity:    allocatable,
		Allocatable: allocatable,
		Conditions: []core.NodeCondition{
			condition(core.NodeMemoryPressure, core.ConditionFalse),
			condition(core.NodeDiskPressure, core.ConditionFalse),
			condition(core.NodePIDPressure, core.ConditionFalse),
			condition(core.NodeReady, core.ConditionTrue),
		},
		Addresses:       []core.NodeAddress{{Type: core.NodeInternalIP, Address: "127.0.0.1"}}, // a host name would be looked up
		DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: int32(k.port)}},
		NodeInfo: core.NodeSystemInfo{
			KubeletVersion: "v1.36.3", OperatingSystem: "linux", Architecture: "amd64", OSImage: "none", KernelVersion: "none",
			ContainerRuntimeVersion: "none://0", MachineID: node.Name, SystemUUID: node.Name, BootID: node.Name,
		},
	}
	body, _ := json.Marshal(map[string]any{"status": status})
	if _, err := k.client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, body, meta.PatchOptions{}, "status"); err != nil {
		report("status of node "+node.Name, err)
	}
}

func ready(node *core.Node) core.ConditionStatus {
	for _, condition := range node.Status.Conditions {
		if condition.Type == core.NodeReady {
			return condition.Status
		}
	}
	return core.ConditionUnknown
}

// quantities reads `cpu=4,memory=16Gi`; what is not said is plenty.
func quantities(text string) core.ResourceList {
	amounts := core.ResourceList{}
	for _, part := range strings.Split("cpu=1000,memory=1000Gi,pods=1000,ephemeral-storage=10000Gi,"+text, ",") {
		name, value, _ := strings.Cut(part, "=")
		if quantity, err := resource.ParseQuantity(value); err == nil {
			amounts[core.ResourceName(name)] = quantity
		}
	}
	return amounts
}

// renewLeases keeps all served nodes alive until ctx ends. A node whose status was lost to silence gets it anew.
func (k *kubelet) renewLeases(ctx context.Context) {
	for {
		nodes, _ := k.nodes.List(everything)
		for _, node := range nodes {
			if _, served := node.Annotations[servedNode]; served && node.Annotations[silentNode] == "" {
				k.renew(ctx, node.Name)
				k.seeNode(ctx, node)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Second):
		}
	}
}

func (k *kubelet) renew(ctx context.Context, node string) {
	seconds, now := int32(40), meta.NowMicro()
	wanted := coordination.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now}
	body, _ := json.Marshal(map[string]any{"spec": wanted})
	api := k.client.CoordinationV1().Leases(leases)
	_, err := api.Patch(ctx, node, types.MergePatchType, body, meta.PatchOptions{})
	if errors.IsNotFound(err) {
		lease := &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: node, Namespace: leases}, Spec: wanted}
		_, err = api.Create(ctx, lease, meta.CreateOptions{})
	}
	report("lease of node "+node, err)
}

// seePod begins the life of a pod that was bound to a served node, and ends it when it is to be deleted.
func (k *kubelet) seePod(ctx context.Context, pod *core.Pod) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.count(pod)
	known := k.lives[pod.UID]
	if known == nil && pod.Spec.NodeName != "" {
		if node, err := k.nodes.Get(pod.Spec.NodeName); err == nil {
			if _, served := node.Annotations[servedNode]; !served {
				return
			}
		}
		known = k.begin(ctx, pod)
	}
	if known != nil && pod.DeletionTimestamp != nil && !known.ending {
		known.ending = true
		known.cancel()
	}
}

// count numbers a pod when it is first seen, bound or not: news of creations come in their order, those of bindings in the scheduler's.
// It needs the mutex.
func (k *kubelet) count(pod *core.Pod) {
	owner := meta.GetControllerOf(pod)
	if _, counted := k.numbers[pod.UID]; counted || owner == nil {
		return
	}
	k.numbers[pod.UID] = k.counts[owner.UID]
	k.counts[owner.UID]++
	if ordinal, err := strconv.Atoi(pod.Labels["apps.kubernetes.io/pod-index"]); err == nil {
		k.numbers[pod.UID] = ordinal
	}
}

// begin needs the mutex.
func (k *kubelet) begin(ctx context.Context, pod *core.Pod) *life {
	k.last++
	own, cancel := context.WithCancel(ctx)
	started := &life{
		kubelet: k, pod: pod.DeepCopy(), index: k.numbers[pod.UID], cancel: cancel, orders: make(chan bool, 16),
		address: fmt.Sprintf("10.%d.%d.%d", 100+k.last>>16, k.last>>8&255, k.last&255),
	}
	k.lives[pod.UID] = started
	go started.lead(ctx, own)
	return started
}

func (k *kubelet) forget(uid types.UID) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.numbers, uid)
	if known := k.lives[uid]; known != nil {
		known.ending = true
		known.cancel()
		delete(k.lives, uid)
	}
}

// order makes a pod ready or unready from now on; false if it is not known.
func (k *kubelet) order(namespace, name string, isReady bool) bool {
	pod, err := k.pods.Pods(namespace).Get(name)
	if err != nil {
		return false
	}
	k.mutex.Lock()
	known := k.lives[pod.UID]
	k.mutex.Unlock()
	if known == nil {
		return false
	}
	known.orders <- isReady
	return true
}

// indexOf is the number of a pod among those of its controller, -1 if it has no life.
func (k *kubelet) indexOf(pod *core.Pod) int {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if known := k.lives[pod.UID]; known != nil {
		return known.index
	}
	return -1
}
