package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// giveAddresses gives every Service of type LoadBalancer an address of a documentation range, as a provider would: whoever installs with
// `helm install --wait` waits for it. Nothing listens there.
func giveAddresses(ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory) {
	var given atomic.Uint32
	see := func(object any) {
		service := object.(*core.Service)
		if service.Spec.Type != core.ServiceTypeLoadBalancer || len(service.Status.LoadBalancer.Ingress) > 0 || service.DeletionTimestamp != nil {
			return
		}
		address := service.Spec.LoadBalancerIP
		if address == "" {
			number := given.Add(1)
			address = fmt.Sprintf("198.%d.%d.%d", 18+number>>16&1, number>>8&255, number&255)
		}
		ingress := []core.LoadBalancerIngress{{IP: address}}
		status := map[string]any{"loadBalancer": core.LoadBalancerStatus{Ingress: ingress}}
		body, _ := json.Marshal(map[string]any{"metadata": map[string]any{"uid": service.UID}, "status": status})
		_, err := client.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, body, meta.PatchOptions{}, "status")
		report("address of service "+service.Name, err)
	}
	_, _ = factory.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    see,
		UpdateFunc: func(_, object any) { see(object) },
	})
}
