package soak

import "math/rand/v2"

// A plan says what happens in each window. It follows from the seed alone.
type plan []window

// window is a stretch of a run, at whose end is measured.
type window struct {
	key   keyStep // beside disabling the key, which every window does
	host  hostStep
	quiet bool // no process ends in this window or after it
}

// keyStep is how the sealed broker loses its key, for a fifth of the window.
type keyStep string

const (
	none          keyStep = ""
	disableKey    keyStep = "disable key"
	denyKey       keyStep = "deny by policy"
	suspendBroker keyStep = "suspend mq_grant"
	suspendVolume keyStep = "suspend volume grant"
)

// hostStep is what somebody at the host does.
type hostStep string

const (
	nothing      hostStep = ""
	restart      hostStep = "restart"
	kill         hostStep = "kill -9"
	backup       hostStep = "backup and check"
	verify       hostStep = "verify the trail"
	rotateRoot   hostStep = "rotate the root key"
	rotateKey    hostStep = "rotate the platform key"
	renew        hostStep = "renew certificates"
	rotateCA     hostStep = "rotate the authority"
	doctor       hostStep = "doctor"
	createBroker hostStep = "create and delete a broker"
)

// quietShare is which part of a run ends no process: what grows is seen there.
const quietShare = 3

// newPlan makes a plan of n windows.
func newPlan(rng *rand.Rand, n int) plan {
	keys := []keyStep{none, suspendBroker, none, suspendVolume, none, denyKey}
	ends := []hostStep{kill, restart}
	steps := []hostStep{
		backup, createBroker, rotateRoot, renew, verify, rotateKey, doctor, rotateCA, nothing,
	}
	p := make(plan, n)
	next := rng.IntN(len(steps))
	for i := range p {
		w := &p[i]
		w.quiet = i >= n-n/quietShare
		w.key = keys[rng.IntN(len(keys))]
		if !w.quiet && i%3 == 2 {
			w.host = ends[i/3%len(ends)]
			continue
		}
		w.host = steps[next%len(steps)]
		next++
	}
	return p
}
