package buffer

import "io"

// Small is the size in octets of an [Input] that nothing large went through lately. It
// grows to hold a frame, or when a client fills it, and shrinks when it turns out larger
// than needed.
const Small = 4 << 10

const quietReads = 256 // reads in a row that would have fitted the small one

// Input holds what was read and not yet used. Frames are parsed in place, so they are
// valid until the next Fill. It belongs to one goroutine.
type Input struct {
	src   io.Reader
	buf   []byte
	r, w  int  // buf[r:w] is unused
	need  int  // octets of the frame at r, as far as known
	max   int  // bound of buf
	full  bool // the last read filled buf
	quiet int
}

// NewInput reads from src into at most the given octets, or [Small].
func NewInput(src io.Reader, most int) Input {
	return Input{src: src, buf: make([]byte, Small), max: max(most, Small)}
}

// Unused is what was read and not used, up to the next Use or Fill.
func (in *Input) Unused() []byte { return in.buf[in.r:in.w] }

// Use takes n octets of Unused away: a frame that was parsed.
func (in *Input) Use(n int) { in.r += n }

// Need says how many octets of Unused the next frame takes, as far as its beginning
// tells; Fill makes room for them.
func (in *Input) Need(n int) { in.need = n }

// Size is the memory in use, in octets.
func (in *Input) Size() int { return len(in.buf) }

// Fill reads once, after making room for what Need said, and gives the octets read. An
// error comes with none.
func (in *Input) Fill() (n int, err error) {
	in.w = copy(in.buf, in.buf[in.r:in.w])
	in.r = 0
	switch {
	case in.full || in.need > len(in.buf):
		if size := max(in.need, min(2*len(in.buf), in.max)); size > len(in.buf) {
			in.resize(size)
		}
	case in.quiet > quietReads && in.w < Small && in.need <= Small:
		in.resize(Small)
	}
	n, err = in.src.Read(in.buf[in.w:])
	in.w += n
	in.full = in.w == len(in.buf)
	if in.quiet++; in.w > Small || len(in.buf) == Small {
		in.quiet = 0
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (in *Input) resize(size int) {
	buf := make([]byte, size)
	in.w = copy(buf, in.buf[:in.w])
	in.buf, in.quiet = buf, 0
}
