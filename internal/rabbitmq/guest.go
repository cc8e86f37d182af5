package rabbitmq

// evicted says whose connections end: those in a virtual host, or of a user.
type evicted struct {
	vhost  string
	user   string
	byUser bool
}

// guests are the connections that are in.
type guests struct{}

func (b *Broker) evict(evicted) {}
