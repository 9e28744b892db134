package main

import (
	"context"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// provisionVolumes makes a volume for every claim that names none: what a storage class would do. The real volume controller binds them.
func provisionVolumes(ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory) {
	_, _ = factory.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			claim := object.(*core.PersistentVolumeClaim)
			if claim.Spec.VolumeName != "" || claim.Spec.Selector != nil || claim.DeletionTimestamp != nil {
				return
			}
			_, err := client.CoreV1().PersistentVolumes().Create(ctx, volumeFor(claim), meta.CreateOptions{})
			if !errors.IsAlreadyExists(err) {
				report("volume for claim "+claim.Name, err)
			}
		},
	})
}

func volumeFor(claim *core.PersistentVolumeClaim) *core.PersistentVolume {
	class := ""
	if claim.Spec.StorageClassName != nil {
		class = *claim.Spec.StorageClassName
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: "lab-" + string(claim.UID)},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimRetain,
			StorageClassName:              class,
			ClaimRef: &core.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: core.PersistentVolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/none"}},
		},
	}
}
