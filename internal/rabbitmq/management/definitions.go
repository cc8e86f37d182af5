package management

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"

	"coffer/internal/rabbitmq"
)

// exportAll answers GET /api/definitions.
func exportAll(c *call) error { return c.export("") }

// exportOne answers GET /api/definitions/{vhost}.
func exportOne(c *call) error {
	if _, ok := c.h.broker.Vhost(c.vars["vhost"]); !ok {
		return missing()
	}
	return c.export(c.vars["vhost"])
}

// export answers with definitions, as a file if that is asked for.
func (c *call) export(vhost string) error {
	d, err := c.h.broker.Export(c.r.Context(), vhost)
	if err != nil {
		return err
	}
	d.RabbitVersion, d.RabbitMQVersion = c.h.cfg.Version, c.h.cfg.Version
	d.Product, d.ProductVersion = c.h.cfg.Product, c.h.cfg.Build
	if vhost == "" {
		d.OriginalCluster = c.clusterName()
	}
	if name := c.query.Get("download"); name != "" {
		c.answer.w.Header().Set("Content-Disposition",
			mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}
	return c.answer.json(http.StatusOK, d)
}

func importAll(c *call) error { return c.take("") }

func importOne(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	return c.take(c.vars["vhost"])
}

// take makes what definitions say.
func (c *call) take(vhost string) error {
	text, err := c.definitionsText()
	if err != nil {
		return err
	}
	var d rabbitmq.Definitions
	if len(bytes.TrimSpace(text)) > 0 {
		if err := d.UnmarshalJSON(text); err != nil {
			return invalid(err)
		}
	}
	if err := c.h.broker.Import(c.r.Context(), d, vhost); err != nil {
		return invalid(err)
	}
	return done(c)
}

// definitionsText reads definitions, also from the file of a form.
func (c *call) definitionsText() ([]byte, error) {
	kind, parameters, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return c.largeText()
	}
	c.r.Body = http.MaxBytesReader(c.answer.w, c.r.Body, c.h.cfg.MaxBody)
	form, err := c.r.MultipartReader()
	if err != nil {
		return nil, badRequest("not_json")
	}
	for {
		part, err := form.NextPart()
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, badRequest(tooLarge)
		}
		if err != nil {
			return nil, badRequest("no file in the form")
		}
		if part.FormName() != "file" {
			continue
		}
		c.r.Body, c.r.ContentLength = io.NopCloser(part), -1
		return c.largeText()
	}
}
