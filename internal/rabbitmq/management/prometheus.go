package management

import "net/http"

// prometheus answers GET /metrics and below. RabbitMQ has them at a port of their own
// that asks nobody who he is.
func prometheus(c *call) error {
	if c.h.cfg.Metrics == nil {
		return missing()
	}
	c.answer.code = http.StatusOK
	c.h.cfg.Metrics.ServeHTTP(c.answer.w, c.r)
	return nil
}
