package doctor

import "time"

const (
	// clockSlack is how far behind what was stored a clock may be: steps of NTP.
	clockSlack = 2 * time.Second
	// clockSkew is from where on signed requests of other machines are refused.
	clockSkew = 5 * time.Minute
)

// Clock is the time of the machine.
type Clock struct {
	Now time.Time
	// Newest is the newest time that was stored; zero: it is not known.
	Newest time.Time
	// Unsynced: the system says that nothing sets its clock; nil: it does not say.
	Unsynced *bool
}

// Check looks at the clock.
func (c Clock) Check(r *Report) {
	const back = "clock.back"
	switch behind := c.Newest.Sub(c.Now); {
	case c.Newest.IsZero():
		r.Skip(back, "the newest stored time cannot be read")
	case behind > clockSkew:
		r.Find(back, Error, "set the clock; until then Coffer's own time stands still, and "+
			"certificates and signed requests may be refused",
			"the clock is %v behind what was stored last", behind.Round(time.Second))
	case behind > clockSlack:
		r.Find(back, Warning, "let NTP set the clock by small steps",
			"the clock is %v behind what was stored last", behind.Round(time.Second))
	default:
		r.Look(back)
	}
	const sync = "clock.sync"
	switch {
	case c.Unsynced == nil:
		r.Skip(sync, "the system does not say whether its clock is set")
	case *c.Unsynced:
		r.Find(sync, Warning, "run chrony, systemd-timesyncd or ntpd",
			"the system says that nothing sets its clock")
	default:
		r.Look(sync)
	}
}
