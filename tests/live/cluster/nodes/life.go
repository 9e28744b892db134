package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

var everything = labels.Everything()

// life is one pod from its binding to its deletion. Only its goroutine writes the pod's status, one write after the other.
type life struct {
	kubelet *kubelet
	pod     *core.Pod
	index   int
	address string
	cancel  context.CancelFunc
	ending  bool // guarded by the kubelet's mutex
	orders  chan bool

	started, readySince meta.Time
	ready               bool
	restarts            int32
}

// lead goes through the life; own ends when the pod is to be deleted, all when the program ends.
func (l *life) lead(all, own context.Context) {
	l.live(own)
	<-own.Done()
	if all.Err() != nil {
		return
	}
	wait(all, delay(l.pod.Annotations, terminationAfter, l.index, 0))
	if all.Err() != nil {
		return
	}
	now, uid := int64(0), l.pod.UID
	err := l.kubelet.client.CoreV1().Pods(l.pod.Namespace).Delete(all, l.pod.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &uid},
	})
	report("deletion of pod "+l.pod.Name, err)
}

func (l *life) live(ctx context.Context) {
	notes := l.pod.Annotations
	if entry(notes, phaseStays, l.index) == "Pending" {
		return
	}
	if !wait(ctx, delay(notes, startAfter, l.index, 0)) {
		return
	}
	if entry(notes, refused, l.index) == "fail" {
		l.write(ctx, l.unpulled())
		return
	}
	aged, readyAged := ages(notes, l.index)
	l.started = meta.NewTime(time.Now().Add(-aged))
	l.readySince = l.started
	if l.pod.Spec.RestartPolicy != core.RestartPolicyAlways {
		l.runToItsEnd(ctx)
		return
	}
	l.write(ctx, l.status(core.PodRunning))
	if entry(notes, readyAfter, l.index) == "never" {
		l.obey(ctx, nil)
		return
	}
	if !wait(ctx, delay(notes, readyAfter, l.index, 0)) {
		return
	}
	l.turn(ctx, true, time.Now().Add(-readyAged))
	l.obey(ctx, spellOf(notes, l.index))
}

// runToItsEnd is the life of a pod of a Job.
func (l *life) runToItsEnd(ctx context.Context) {
	l.ready = true
	l.write(ctx, l.status(core.PodRunning))
	if !wait(ctx, delay(l.pod.Annotations, runsFor, l.index, 0)) {
		return
	}
	code, _ := strconv.Atoi(entry(l.pod.Annotations, exitsWith, l.index))
	phase := core.PodSucceeded
	if code != 0 {
		phase = core.PodFailed
	}
	l.ready, l.readySince = false, meta.Now()
	l.write(ctx, l.ended(phase, int32(code)))
}

// obey follows the pod's annotations and then orders, until the pod is to be deleted.
func (l *life) obey(ctx context.Context, said *spell) {
	if said != nil {
		if !wait(ctx, said.after) {
			return
		}
		if said.restart {
			l.restarts++
		}
		l.turn(ctx, false, time.Now())
		if said.lasting >= 0 {
			if !wait(ctx, said.lasting) {
				return
			}
			l.turn(ctx, true, time.Now())
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case isReady := <-l.orders:
			if isReady != l.ready {
				l.turn(ctx, isReady, time.Now())
			}
		}
	}
}

func (l *life) turn(ctx context.Context, isReady bool, since time.Time) {
	l.ready, l.readySince = isReady, meta.NewTime(since)
	l.write(ctx, l.status(core.PodRunning))
}

// status is the whole status of the pod: a merge patch replaces lists as a whole.
func (l *life) status(phase core.PodPhase) core.PodStatus {
	truth := core.ConditionFalse
	if l.ready {
		truth = core.ConditionTrue
	}
	status := core.PodStatus{
		Phase:     phase,
		StartTime: &l.started,
		HostIP:    "127.0.0.1",
		PodIP:     l.address,
		PodIPs:    []core.PodIP{{IP: l.address}},
		Conditions: []core.PodCondition{
			{Type: core.PodScheduled, Status: core.ConditionTrue, LastTransitionTime: l.started},
			{Type: core.PodInitialized, Status: core.ConditionTrue, LastTransitionTime: l.started},
			{Type: core.ContainersReady, Status: truth, LastTransitionTime: l.readySince},
			{Type: core.PodReady, Status: truth, LastTransitionTime: l.readySince},
		},
	}
	running := core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: l.started}}
	for _, container := range l.pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, l.container(container, running, l.ready))
	}
	for _, container := range l.pod.Spec.InitContainers {
		state := completed(l.started, 0)
		if container.RestartPolicy != nil && *container.RestartPolicy == core.ContainerRestartPolicyAlways {
			state = running
		}
		status.InitContainerStatuses = append(status.InitContainerStatuses, l.container(container, state, true))
	}
	return status
}

// ended is the status after the containers' end.
func (l *life) ended(phase core.PodPhase, code int32) core.PodStatus {
	status := l.status(phase)
	for at := range status.ContainerStatuses {
		no := false
		status.ContainerStatuses[at].State, status.ContainerStatuses[at].Started = completed(l.started, code), &no
	}
	for at := range status.Conditions {
		if kind := status.Conditions[at].Type; code == 0 && (kind == core.PodReady || kind == core.ContainersReady) {
			status.Conditions[at].Reason = "PodCompleted"
		}
	}
	return status
}

// unpulled is the status of a pod whose image is not to be had.
func (l *life) unpulled() core.PodStatus {
	l.started, l.readySince = meta.Now(), meta.Now()
	status := l.status(core.PodPending)
	for at := range status.ContainerStatuses {
		no, waiting := false, core.ContainerStateWaiting{Reason: "ErrImagePull", Message: "said by a test"}
		status.ContainerStatuses[at].State, status.ContainerStatuses[at].Started = core.ContainerState{Waiting: &waiting}, &no
	}
	return status
}

func (l *life) container(container core.Container, state core.ContainerState, isReady bool) core.ContainerStatus {
	started := state.Running != nil
	return core.ContainerStatus{
		Name: container.Name, Image: container.Image, ImageID: container.Image, ContainerID: fmt.Sprintf("none://%s/%s", l.pod.UID, container.Name),
		Ready: isReady, Started: &started, RestartCount: l.restarts, State: state,
	}
}

func completed(at meta.Time, code int32) core.ContainerState {
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	return core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: code, Reason: reason, StartedAt: at, FinishedAt: meta.Now()}}
}

// write stores the status, only on this very pod.
func (l *life) write(ctx context.Context, status core.PodStatus) {
	body, _ := json.Marshal(map[string]any{"metadata": map[string]any{"uid": l.pod.UID}, "status": status})
	pods := l.kubelet.client.CoreV1().Pods(l.pod.Namespace)
	_, err := pods.Patch(ctx, l.pod.Name, types.MergePatchType, body, meta.PatchOptions{}, "status")
	report("status of pod "+l.pod.Name, err)
}

// wait is false if ctx ended before the time had passed.
func wait(ctx context.Context, time_ time.Duration) bool {
	if time_ <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(time_)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// report tells a failure that is none of the expected ones: the object is gone, replaced, or the program ends.
func report(what string, err error) {
	if err == nil || errors.IsNotFound(err) || errors.IsConflict(err) || err == context.Canceled {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
}
