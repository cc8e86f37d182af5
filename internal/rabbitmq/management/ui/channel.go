package ui

// channel is what the API shows of a channel.
type channel struct {
	Name, User, Vhost, State string
	Number                   *float64
	Confirm, Transactional   bool
	Consumers                *float64 `json:"consumer_count"`
	Prefetch                 *float64 `json:"prefetch_count"`
	GlobalPrefetch           *float64 `json:"global_prefetch_count"`
	Unacked                  *float64 `json:"messages_unacknowledged"`
	Unconfirmed              *float64 `json:"messages_unconfirmed"`
	Uncommitted              *float64 `json:"messages_uncommitted"`
	AcksUncommitted          *float64 `json:"acks_uncommitted"`
	IdleSince                string   `json:"idle_since"`
	Stats                    *stats   `json:"message_stats"`
	Connection               struct {
		Name string
	} `json:"connection_details"`
	Clients []consumer `json:"consumer_details"`
}

// RunState is the state of the channel as RabbitMQ's pages show it.
func (c *channel) RunState() string {
	if c.IdleSince != "" && c.State == "running" {
		return "idle"
	}
	return c.State
}

// Mode is what the channel does with publishes, in RabbitMQ's letters.
func (c *channel) Mode() string {
	switch {
	case c.Confirm:
		return "C"
	case c.Transactional:
		return "T"
	}
	return ""
}

func showChannels(v *visit) error {
	l, err := living[channel](v, "channels")
	if err != nil {
		return err
	}
	return v.show("channels", "Channels", l)
}

func showChannel(v *visit) error {
	var c channel
	if err := v.get(path("channels", v.field("name")), nil, &c); err != nil {
		return err
	}
	return v.show("channel", "Channel "+c.Name, &c)
}
