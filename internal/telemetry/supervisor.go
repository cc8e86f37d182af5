package telemetry

import (
	"errors"
	"net"
)

// Supervisor is who started the process and waits for word of it, as systemd does for
// units of Type=notify, by the protocol of sd_notify(3). The zero value is nobody.
//
// There is no watchdog: a process whose store fails ends by itself, and one that waits
// for a slow disk would gain nothing from being killed.
type Supervisor struct {
	// Socket is $NOTIFY_SOCKET: the path of a datagram socket, or after an @ its
	// abstract name.
	Socket string
}

// Ready tells that the process does what it is there for, and what that is, in a line.
// It may be told again when that changes.
func (s Supervisor) Ready(status string) error {
	return s.tell("READY=1\nSTATUS=" + status + "\n")
}

// Stopping tells that the process ends because it was asked to.
func (s Supervisor) Stopping() error { return s.tell("STOPPING=1\nSTATUS=stopping\n") }

func (s Supervisor) tell(state string) error {
	if s.Socket == "" {
		return nil
	}
	addr := &net.UnixAddr{Name: s.Socket, Net: "unixgram"}
	conn, err := net.DialUnix(addr.Net, nil, addr)
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}
