package ui

import (
	"io"
	"net/http"
)

// definitionsPage is what the page of definitions shows.
type definitionsPage struct {
	Vhosts []string
	Vhost  string
}

func showDefinitions(v *visit) error {
	p := definitionsPage{}
	var err error
	if p.Vhosts, err = v.vhosts(); err != nil {
		return err
	}
	return v.show("definitions", "Definitions", &p)
}

// downloadDefinitions answers with the export of everything, or of a virtual host.
func downloadDefinitions(v *visit) error {
	at := path("definitions")
	if vhost := v.field("vhost"); vhost != "" {
		at = path("definitions", vhost)
	}
	a, err := v.ask(http.MethodGet, at, nil, nil)
	if err != nil {
		return err
	}
	name := "coffer-definitions-" + v.h.cfg.Now().UTC().Format("2006-01-02") + ".json"
	secure(v.w.Header())
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = v.w.Write(a.body.Bytes()) // a browser that left needs nothing more
	return nil
}

func uploadDefinitions(v *visit) error {
	file, _, err := v.r.FormFile("file")
	if err != nil {
		return wrong("There is no file.")
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	at := path("definitions")
	if vhost := v.field("vhost"); vhost != "" {
		at = path("definitions", vhost)
	}
	if _, err := v.ask(http.MethodPost, at, text, nil); err != nil {
		return err
	}
	return v.done("/definitions", "The definitions are imported.")
}
