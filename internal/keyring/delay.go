package keyring

import "time"

// later is what a fence becomes with Config.Delay: when it is lifted, domains that are
// locked ask the KMS again at once, and those that are open after the delay.
func (k *Keyring) later(f *fence) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	held := k.held(f)
	k.refresh.Go(func() {
		for _, d := range held {
			if d.Locked() != nil {
				k.spawn(d)
			}
		}
		if !k.pause(k.cfg.Delay) {
			return
		}
		for _, d := range held {
			k.refresh.Go(func() { k.doubt(d) })
		}
	})
}

// doubt asks the KMS whether an open domain may keep its key, until there is an answer.
func (k *Keyring) doubt(d *Domain) {
	for d.Locked() == nil && d.ctx.Err() == nil {
		epochs, err := d.ask(d.ctx)
		switch {
		case err == nil:
			epochs.Wipe()
			return
		case !passing(err):
			d.lock(err)
			d.notify()
			k.cfg.Logger.Info("key taken away after the delay", "key", d.key, "reason", err)
			k.spawn(d) // the answer may be older than a change that allows it again
			return
		}
		if !k.pause(k.cfg.Retry) {
			return
		}
	}
}

// pause waits and reports whether the keyring is still open.
func (k *Keyring) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-k.done:
		return false
	}
}
