package main

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// load is what the metrics APIs serve for the pods of a namespace that `match` selects (a label selector; empty: all of them). Of several
// the first that selects a pod counts.
type load struct {
	Match         string            `json:"match"`
	CPUMilli      *float64          `json:"cpu_milli"`       // each pod
	TotalCPUMilli *float64          `json:"total_cpu_milli"` // shared by the ready pods, rounded down
	CPUByIndex    []float64         `json:"cpu_milli_by_index"`
	MemoryMiB     float64           `json:"memory_mib"`
	MissingIndex  []int             `json:"missing_index"` // pods without a sample
	ServeUnready  bool              `json:"serve_unready"` // samples also for pods that are not ready
	SampleAgeS    float64           `json:"sample_age_s"`
	WindowS       float64           `json:"window_s"`
	Custom        map[string]string `json:"custom"`   // of each pod
	Object        map[string]string `json:"object"`   // of any object
	External      map[string]string `json:"external"` // several series separated by commas
	APIError      bool              `json:"api_error"`

	selector labels.Selector
}

// seen is one pod at the moment of an answer, with what was served for it.
type seen struct {
	Name        string            `json:"name"`
	Phase       string            `json:"phase"`
	Ready       *bool             `json:"ready"`
	StartedS    *float64          `json:"started_s"` // seconds of the epoch
	ReadyAtS    *float64          `json:"ready_at_s"`
	Terminating bool              `json:"terminating"`
	Index       int               `json:"index"`
	CPUMilli    *float64          `json:"cpu_milli"`
	MemoryMiB   *float64          `json:"memory_mib"`
	Labels      map[string]string `json:"labels"`
}

// answer is one answer of a metrics API together with the pods as they were: the complete input of one reconcile.
type answer struct {
	At        float64 `json:"at"`
	API       string  `json:"api"`
	Namespace string  `json:"namespace"`
	Selector  string  `json:"selector"`
	Sampled   string  `json:"sampled"`
	Failed    bool    `json:"failed"`
	Pods      []seen  `json:"pods"`
}

type metrics struct {
	kubelet *kubelet
	token   string

	mutex   sync.Mutex
	loads   map[string][]load
	answers map[string][]answer
}

// newMetrics answers the three metrics APIs, logs of containers, and /lab/ for whoever has the token.
func newMetrics(k *kubelet, token string) http.Handler {
	m := &metrics{kubelet: k, token: token, loads: map[string][]load{}, answers: map[string][]answer{}}
	mux := http.NewServeMux()
	for path, kinds := range map[string][]string{
		"/apis/metrics.k8s.io/v1beta1":          {"nodes:NodeMetrics:no", "pods:PodMetrics"},
		"/apis/custom.metrics.k8s.io/v1beta2":   {"*/*:MetricValueList"},
		"/apis/external.metrics.k8s.io/v1beta1": {"*:ExternalMetricValueList"},
	} {
		mux.HandleFunc("GET "+path+"/{$}", discovery(path, kinds))
		mux.HandleFunc("GET "+path, discovery(path, kinds))
	}
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/pods", m.podMetrics)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", m.podMetrics)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{pod}", m.onePodMetrics)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/nodes", m.nodeMetrics)
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/nodes/{node}", m.oneNodeMetrics)
	mux.HandleFunc("GET /apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{kind}/{name}/{metric}", m.custom)
	mux.HandleFunc("GET /apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}", m.external)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "no container runs: %s of pod %s is played\n", r.PathValue("container"), r.PathValue("pod"))
	})
	mux.HandleFunc("PUT /lab/{namespace}/load", m.guarded(m.setLoad))
	mux.HandleFunc("GET /lab/{namespace}/answers", m.guarded(m.giveAnswers))
	mux.HandleFunc("PUT /lab/{namespace}/pods/{pod}/{state}", m.guarded(m.setReadiness))
	return mux
}

func discovery(path string, kinds []string) http.HandlerFunc {
	list := meta.APIResourceList{TypeMeta: meta.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}}
	list.GroupVersion = strings.TrimPrefix(path, "/apis/")
	for _, kind := range kinds {
		parts := strings.Split(kind, ":")
		list.APIResources = append(list.APIResources, meta.APIResource{
			Name: parts[0], Kind: parts[1], Namespaced: len(parts) < 3, Verbs: meta.Verbs{"get", "list"},
		})
	}
	return func(w http.ResponseWriter, _ *http.Request) { give(w, list) }
}

func give(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (m *metrics) guarded(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+m.token)) != 1 {
			http.Error(w, "who asks?", http.StatusUnauthorized)
			return
		}
		handler(w, r)
	}
}

func (m *metrics) setLoad(w http.ResponseWriter, r *http.Request) {
	var loads []load
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&loads)
	for at := range loads {
		if err == nil {
			loads[at].selector, err = labels.Parse(loads[at].Match)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.loads[r.PathValue("namespace")] = loads
}

func (m *metrics) giveAnswers(w http.ResponseWriter, r *http.Request) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	give(w, append([]answer{}, m.answers[r.PathValue("namespace")]...))
}

func (m *metrics) setReadiness(w http.ResponseWriter, r *http.Request) {
	if !m.kubelet.order(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("state") == "ready") {
		http.Error(w, "no such pod lives", http.StatusNotFound)
	}
}

// podsOf are the pods of a namespace (empty: of all), by name.
func (m *metrics) podsOf(namespace string, selector labels.Selector) []*core.Pod {
	pods, _ := m.kubelet.pods.Pods(namespace).List(selector)
	sort.Slice(pods, func(a, b int) bool {
		return pods[a].Namespace+"/"+pods[a].Name < pods[b].Namespace+"/"+pods[b].Name
	})
	return pods
}

// loadOf is what a test said about a pod, nil if it said nothing. It needs the mutex.
func (m *metrics) loadOf(pod *core.Pod) *load {
	for at := range m.loads[pod.Namespace] {
		if said := &m.loads[pod.Namespace][at]; said.selector.Matches(labels.Set(pod.Labels)) {
			return said
		}
	}
	return nil
}

// sample is what is served for a pod: whole millicores and MiB, nothing if there is no sample.
func (m *metrics) sample(pod *core.Pod, said *load) (cpu, memory *float64) {
	index := m.kubelet.indexOf(pod)
	if said == nil || index < 0 || pod.Status.Phase != core.PodRunning || (!isReady(pod) && !said.ServeUnready) {
		return nil, nil
	}
	for _, missing := range said.MissingIndex {
		if missing == index {
			return nil, nil
		}
	}
	value := 0.0
	switch {
	case len(said.CPUByIndex) > 0:
		value = said.CPUByIndex[min(index, len(said.CPUByIndex)-1)]
	case said.TotalCPUMilli != nil:
		value = float64(int(*said.TotalCPUMilli) / max(m.sharing(pod.Namespace, said), 1))
	case said.CPUMilli != nil:
		value = *said.CPUMilli
	}
	return &value, &said.MemoryMiB
}

// sharing is the number of ready pods among which a load is divided.
func (m *metrics) sharing(namespace string, said *load) int {
	count := 0
	for _, pod := range m.podsOf(namespace, said.selector) {
		if isReady(pod) && pod.DeletionTimestamp == nil && m.loadOf(pod) == said {
			count++
		}
	}
	return count
}

func isReady(pod *core.Pod) bool {
	condition := readiness(pod)
	return condition != nil && condition.Status == core.ConditionTrue
}

func readiness(pod *core.Pod) *core.PodCondition {
	for at := range pod.Status.Conditions {
		if pod.Status.Conditions[at].Type == core.PodReady {
			return &pod.Status.Conditions[at]
		}
	}
	return nil
}

// look is a pod as an answer records it.
func (m *metrics) look(pod *core.Pod, cpu, memory *float64) seen {
	found := seen{
		Name: pod.Name, Phase: string(pod.Status.Phase), Terminating: pod.DeletionTimestamp != nil, Index: m.kubelet.indexOf(pod),
		CPUMilli: cpu, MemoryMiB: memory, Labels: pod.Labels,
	}
	if condition := readiness(pod); condition != nil {
		truth, since := condition.Status == core.ConditionTrue, float64(condition.LastTransitionTime.Unix())
		found.Ready, found.ReadyAtS = &truth, &since
	}
	if pod.Status.StartTime != nil {
		since := float64(pod.Status.StartTime.Unix())
		found.StartedS = &since
	}
	return found
}

func (m *metrics) podMetrics(w http.ResponseWriter, r *http.Request) {
	namespace, text := r.PathValue("namespace"), r.URL.Query().Get("labelSelector")
	selector, err := labels.Parse(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	pods, now := m.podsOf(namespace, selector), time.Now()
	given := answer{At: seconds(now), API: "resource", Namespace: namespace, Selector: text, Pods: []seen{}}
	items := []any{}
	for _, pod := range pods {
		said := m.loadOf(pod)
		cpu, memory := m.sample(pod, said)
		given.Pods = append(given.Pods, m.look(pod, cpu, memory))
		if said != nil && said.APIError {
			given.Failed = true
		}
		if cpu != nil {
			given.Sampled = sampled(now, said)
			items = append(items, podSample(pod, *cpu, *memory, sampled(now, said), said.WindowS))
		}
	}
	if namespace != "" {
		m.answers[namespace] = append(m.answers[namespace], given)
	}
	if given.Failed {
		http.Error(w, "a test wants no metrics", http.StatusServiceUnavailable)
		return
	}
	give(w, listOf("PodMetricsList", "metrics.k8s.io/v1beta1", items))
}

func listOf(kind, version string, items []any) map[string]any {
	return map[string]any{"kind": kind, "apiVersion": version, "metadata": map[string]any{}, "items": items}
}

// podSample shares the usage equally between the containers; the last one takes the remainder.
func podSample(pod *core.Pod, cpu, memory float64, at string, windowS float64) map[string]any {
	containers, count := []any{}, len(pod.Spec.Containers)
	share, rest := int(cpu)/count, int(cpu)-int(cpu)/count*(count-1)
	for index, container := range pod.Spec.Containers {
		milli := share
		if index == count-1 {
			milli = rest
		}
		containers = append(containers, map[string]any{
			"name":  container.Name,
			"usage": map[string]any{"cpu": strconv.Itoa(milli) + "m", "memory": strconv.Itoa(int(memory)/count) + "Mi"},
		})
	}
	return map[string]any{
		"metadata":  map[string]any{"name": pod.Name, "namespace": pod.Namespace, "labels": pod.Labels},
		"timestamp": at, "window": window(windowS), "containers": containers,
	}
}

// window is one second if nothing is said: a sample of a pod that has just become ready counts at once.
func window(s float64) string {
	if s == 0 {
		s = 1
	}
	return strconv.FormatFloat(s, 'f', -1, 64) + "s"
}

func sampled(now time.Time, said *load) string {
	return now.Add(-time.Duration(said.SampleAgeS * float64(time.Second))).UTC().Format(time.RFC3339)
}

func seconds(at time.Time) float64 { return float64(at.UnixNano()) / 1e9 }

// onePodMetrics answers `kubectl top pod NAME`.
func (m *metrics) onePodMetrics(w http.ResponseWriter, r *http.Request) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	pod, err := m.kubelet.pods.Pods(r.PathValue("namespace")).Get(r.PathValue("pod"))
	if err == nil {
		if said := m.loadOf(pod); said != nil && !said.APIError {
			if cpu, memory := m.sample(pod, said); cpu != nil {
				give(w, typed("PodMetrics", podSample(pod, *cpu, *memory, sampled(time.Now(), said), said.WindowS)))
				return
			}
		}
	}
	http.Error(w, "no sample", http.StatusNotFound)
}

func typed(kind string, value map[string]any) map[string]any {
	value["kind"], value["apiVersion"] = kind, "metrics.k8s.io/v1beta1"
	return value
}

func (m *metrics) nodeMetrics(w http.ResponseWriter, _ *http.Request) {
	nodes, _ := m.kubelet.nodes.List(everything)
	sort.Slice(nodes, func(a, b int) bool { return nodes[a].Name < nodes[b].Name })
	items := []any{}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, node := range nodes {
		items = append(items, m.nodeSample(node.Name))
	}
	give(w, listOf("NodeMetricsList", "metrics.k8s.io/v1beta1", items))
}

// oneNodeMetrics answers `kubectl top node NAME`.
func (m *metrics) oneNodeMetrics(w http.ResponseWriter, r *http.Request) {
	if _, err := m.kubelet.nodes.Get(r.PathValue("node")); err != nil {
		http.Error(w, "no such node", http.StatusNotFound)
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	give(w, typed("NodeMetrics", m.nodeSample(r.PathValue("node"))))
}

// nodeSample is the sum of what is served for the pods of a node. It needs the mutex.
func (m *metrics) nodeSample(name string) map[string]any {
	cpu, memory := 0.0, 0.0
	for _, pod := range m.podsOf("", everything) {
		if c, b := m.sample(pod, m.loadOf(pod)); pod.Spec.NodeName == name && c != nil {
			cpu, memory = cpu+*c, memory+*b
		}
	}
	return map[string]any{
		"metadata": map[string]any{"name": name}, "timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s",
		"usage": map[string]any{"cpu": fmt.Sprintf("%dm", int(cpu)), "memory": fmt.Sprintf("%dMi", int(memory))},
	}
}

// custom serves a metric of each pod (`pods/*/NAME`) or of one other object.
func (m *metrics) custom(w http.ResponseWriter, r *http.Request) {
	namespace, kind, name, metric := r.PathValue("namespace"), r.PathValue("kind"), r.PathValue("name"), r.PathValue("metric")
	m.mutex.Lock()
	defer m.mutex.Unlock()
	now, items := time.Now(), []any{}
	given := answer{At: seconds(now), API: kind + "/" + metric, Namespace: namespace, Pods: []seen{}}
	value := func(kind, name, quantity string, said *load) map[string]any {
		return map[string]any{
			"describedObject": map[string]any{"kind": kind, "namespace": namespace, "name": name},
			"metric":          map[string]any{"name": metric}, "timestamp": sampled(now, said), "value": quantity,
		}
	}
	if kind == "pods" {
		selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, pod := range m.podsOf(namespace, selector) {
			said := m.loadOf(pod)
			cpu, memory := m.sample(pod, said)
			given.Pods = append(given.Pods, m.look(pod, cpu, memory))
			if quantity, ok := quantityOf(said, metric); ok && cpu != nil {
				items = append(items, value("Pod", pod.Name, quantity, said))
			}
		}
	} else {
		for at := range m.loads[namespace] {
			said := &m.loads[namespace][at]
			if quantity, ok := said.Object[metric]; ok {
				items = append(items, value(kind, name, quantity, said))
				break
			}
		}
	}
	m.answers[namespace] = append(m.answers[namespace], given)
	if len(items) == 0 {
		http.Error(w, "no such metric", http.StatusNotFound)
		return
	}
	give(w, listOf("MetricValueList", "custom.metrics.k8s.io/v1beta2", items))
}

func quantityOf(said *load, metric string) (string, bool) {
	if said == nil {
		return "", false
	}
	quantity, ok := said.Custom[metric]
	return quantity, ok
}

func (m *metrics) external(w http.ResponseWriter, r *http.Request) {
	namespace, metric := r.PathValue("namespace"), r.PathValue("metric")
	m.mutex.Lock()
	defer m.mutex.Unlock()
	items := []any{}
	for at := range m.loads[namespace] {
		said := &m.loads[namespace][at]
		if series, ok := said.External[metric]; ok {
			for _, quantity := range strings.Split(series, ",") {
				items = append(items, map[string]any{
					"metricName": metric, "metricLabels": map[string]any{}, "timestamp": sampled(time.Now(), said),
					"value": strings.TrimSpace(quantity),
				})
			}
			break
		}
	}
	if len(items) == 0 {
		http.Error(w, "no such metric", http.StatusNotFound)
		return
	}
	give(w, listOf("ExternalMetricValueList", "external.metrics.k8s.io/v1beta1", items))
}
