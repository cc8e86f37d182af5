package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxHeadLine bounds a line of a file of heads.
const maxHeadLine = 8 * maxHeadText

// errCut: a line that is no JSON string, as a crash leaves it.
var errCut = errors.New("the line is cut short or not of a file of heads")

// file takes in the heads of a file.
func (v *verify) file(ctx context.Context) error {
	r := bufio.NewReaderSize(v.cfg.Heads, maxHeadLine)
	cut := 0 // the last line, which was cut short
	for ctx.Err() == nil {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("read the file of heads: %w", err)
		}
		v.proof.Lines++
		n := v.proof.Lines
		if errors.Is(err, bufio.ErrBufferFull) {
			v.add(Finding{Line: n, Problem: "the line is too long; what follows was not read"})
			return nil
		}
		if cut != 0 && string(line) != cutLine {
			v.add(Finding{Line: cut, Problem: errCut.Error()})
			cut = 0
		} else if cut != 0 {
			v.proof.Cut++
			cut = 0
		}
		switch err := v.line(line, n); {
		case errors.Is(err, errCut) && !bytes.HasSuffix(line, []byte("\n")):
			v.proof.Cut++ // it is being written, or a crash left it
		case errors.Is(err, errCut):
			cut = n
		case err != nil:
			v.add(Finding{Line: n, Problem: err.Error()})
		}
	}
	if cut != 0 {
		v.add(Finding{Line: cut, Problem: errCut.Error()})
	}
	if v.proof.Heads == 0 {
		v.add(Finding{Problem: "the file of heads holds no head of this store"})
	}
	return ctx.Err()
}

func (v *verify) line(line []byte, n int) error {
	if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
		return nil
	}
	msg, err := parseHeadLine(line)
	if err != nil {
		return err
	}
	h, err := openHead(msg, v.verifier)
	if err != nil {
		return err
	}
	v.proof.Heads++
	v.witness(h, n)
	return nil
}

// parseHeadLine reads what headLine gives, or a log gives of a head.
func parseHeadLine(line []byte) ([]byte, error) {
	var msg string
	if err := json.Unmarshal(line, &msg); err != nil {
		return nil, errCut
	}
	return []byte(msg), nil
}
