package main

import (
	"strconv"
	"strings"
	"time"
)

// What a test says about a pod stands in annotations of its template. Each is one entry or a comma separated list indexed by the
// creation order of the pods of one controller (of a StatefulSet: by ordinal); the last entry repeats.
const (
	startAfter       = "lab/start"   // bound -> Running, milliseconds
	readyAfter       = "lab/ready"   // Running -> Ready, milliseconds, or `never`
	terminationAfter = "lab/term"    // deletion timestamp -> object gone, milliseconds
	unreadyAfter     = "lab/unready" // `N` or `N:M`: N ms after Ready it is lost, M ms later it is back; `-`: not this pod
	crashAfter       = "lab/crash"   // the same, and a restart is counted
	runsFor          = "lab/run"     // a pod that ends: Running -> ended, milliseconds
	exitsWith        = "lab/exit"    // a pod that ends: its exit code
	phaseStays       = "lab/phase"   // `Pending`: bound, never started
	agedBy           = "lab/age"     // `S:R`: started S seconds and Ready R seconds before it does
	refused          = "lab/pull"    // `fail`: the image is never pulled (ErrImagePull)
)

// entry is the text of an annotation for pod number index, empty if nothing is said.
func entry(annotations map[string]string, name string, index int) string {
	text := strings.TrimSpace(annotations[name])
	if text == "" {
		return ""
	}
	entries := strings.Split(text, ",")
	return strings.TrimSpace(entries[min(index, len(entries)-1)])
}

// delay reads milliseconds; `otherwise` where nothing or no number is said.
func delay(annotations map[string]string, name string, index int, otherwise time.Duration) time.Duration {
	if number, err := strconv.ParseFloat(entry(annotations, name, index), 64); err == nil {
		return time.Duration(number * float64(time.Millisecond))
	}
	return otherwise
}

// spell is a time without readiness: it begins `after` Ready and lasts `lasting`, forever if negative.
type spell struct {
	after, lasting time.Duration
	restart        bool
}

// spellOf reads `N` or `N:M`; nothing if it is not said for this pod.
func spellOf(annotations map[string]string, index int) *spell {
	for _, name := range []string{unreadyAfter, crashAfter} {
		first, second, both := strings.Cut(entry(annotations, name, index), ":")
		after, err := strconv.ParseFloat(first, 64)
		if err != nil {
			continue
		}
		found := &spell{after: time.Duration(after * float64(time.Millisecond)), lasting: -1, restart: name == crashAfter}
		if lasting, err := strconv.ParseFloat(second, 64); both && err == nil {
			found.lasting = time.Duration(lasting * float64(time.Millisecond))
		}
		return found
	}
	return nil
}

// ages reads `S:R` in seconds.
func ages(annotations map[string]string, index int) (started, ready time.Duration) {
	first, second, _ := strings.Cut(entry(annotations, agedBy, index), ":")
	s, _ := strconv.ParseFloat(first, 64)
	r, err := strconv.ParseFloat(second, 64)
	if err != nil {
		r = s
	}
	return time.Duration(s * float64(time.Second)), time.Duration(r * float64(time.Second))
}
