package rabbitmq

// checkPolicy refuses a policy that RabbitMQ would.
func checkPolicy(p *Policy) error {
	if p.Name == "" || len(p.Name) > maxShortName {
		return notValid("name of a policy is empty or longer than %d bytes", maxShortName)
	}
	if len(p.Definition) == 0 {
		return notValid("no policy provided")
	}
	return nil
}
