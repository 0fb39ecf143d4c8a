package updater

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// Why an update has failed, beside the codes of package manifest.
var (
	errTakenBack  = errors.New("rolled_back: the bootloader has taken the image back")
	errNotStarted = errors.New("not_started: the bootloader does not start the image")
)

// goOn goes on with the update that the device is in, from where it is.
func (u *Updater) goOn(ctx context.Context, s Server) error {
	o := u.open()
	if o == nil {
		return nil
	}
	r := u.running()
	switch {
	case o.Phase == confirmed:
		return u.settle(ctx, s, o)
	case r.SHA256 == o.Image.SHA256:
		return u.test(ctx, s, o)
	case o.takenBack(r):
		return u.failed(ctx, s, o, errTakenBack)
	case o.Phase == starting && o.Starts >= startsMost:
		return u.failed(ctx, s, o, errNotStarted)
	case o.Phase == starting:
		return u.start(ctx, s, o)
	}
	return u.fetch(ctx, s, o)
}

// failed ends an update that has failed, once the server knows.
func (u *Updater) failed(ctx context.Context, s Server, o *update, why error) error {
	if err := u.tellFailed(ctx, s, o.ID, domain.FirmwareFailed, why); err != nil {
		return err
	}
	return u.forget()
}

// tell tells the state of an update. It reports whether to go on.
func (u *Updater) tell(ctx context.Context, s Server, o *update, state domain.FirmwareStep) (goOn bool, err error) {
	return u.progress(ctx, s, wire.FirmwareProgress{Update: o.ID, State: string(state)})
}

// checkSlot compares what is in the other slot with the manifest.
func (u *Updater) checkSlot(o *update) error {
	h, b := sha256.New(), make([]byte, SectorSize)
	for at := int64(0); at < o.Image.Size; at += SectorSize {
		part := b[:min(SectorSize, o.Image.Size-at)]
		if err := u.o.Board.ReadOther(at, part); err != nil {
			return fmt.Errorf("flash: %w", err)
		}
		h.Write(part)
	}
	return o.Image.Check(o.Image.Size, [sha256.Size]byte(h.Sum(nil)))
}

// install tells that the image is in flash, and starts it.
func (u *Updater) install(ctx context.Context, s Server, o *update) error {
	if goOn, err := u.tell(ctx, s, o, domain.FirmwareVerified); err != nil || !goOn {
		return errors.Join(err, u.forgetUnless(err))
	}
	return u.start(ctx, s, o)
}

// forgetUnless forgets the update, unless it is the connection that failed.
func (u *Updater) forgetUnless(err error) error {
	if err != nil {
		return nil
	}
	return u.forget()
}

// start has the bootloader start the image, if the server still wants that and the image is still what it was.
func (u *Updater) start(ctx context.Context, s Server, o *update) error {
	if goOn, err := u.tell(ctx, s, o, domain.FirmwareInstalling); err != nil || !goOn {
		return errors.Join(err, u.forgetUnless(err))
	}
	if err := u.checkSlot(o); err != nil {
		return u.failed(ctx, s, o, err)
	}
	err := u.change(func(m *memory) {
		m.Open.Phase = starting
		m.Open.Starts++
	})
	if err != nil {
		return err
	}
	if err := u.startOther(); err != nil {
		return u.failed(ctx, s, o, fmt.Errorf("start: %w", err))
	}
	_, _ = u.tell(ctx, s, o, domain.FirmwareRebooting) // who does not hear it sees what comes back
	return ErrRestart
}

// test tests the image that runs, and confirms it or has it taken back.
func (u *Updater) test(ctx context.Context, s Server, o *update) error {
	if u.Unconfirmed() {
		good, err := u.passes(ctx, s, o)
		if err != nil {
			return err
		}
		if !good {
			if _, err := u.GiveUp(); err != nil {
				return err
			}
			return ErrRestart
		}
	}
	if err := u.confirm(); err != nil {
		return err
	}
	err := u.change(func(m *memory) {
		m.Floor = o.Floor
		m.Open.Phase = confirmed
	})
	if err != nil {
		return err
	}
	if err := u.report(ctx, s); err != nil { // it is valid now
		return err
	}
	return u.settle(ctx, s, o)
}

// passes reports whether the new image may stay: it works, and the server wants it, before the test and after it. An
// error is the connection's.
func (u *Updater) passes(ctx context.Context, s Server, o *update) (good bool, err error) {
	if goOn, err := u.tell(ctx, s, o, domain.FirmwareTesting); err != nil || !goOn {
		return false, err
	}
	if u.o.SelfTest == nil {
		return true, nil
	}
	if err := u.o.SelfTest(ctx); err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		// Whether the server hears it or not, the image does not stay.
		_ = u.tellFailed(ctx, s, o.ID, domain.FirmwareFailed, fmt.Errorf("self_test: %w", err))
		return false, nil
	}
	return u.tell(ctx, s, o, domain.FirmwareTesting)
}

// settle tells that the image stays.
func (u *Updater) settle(ctx context.Context, s Server, o *update) error {
	if _, err := u.tell(ctx, s, o, domain.FirmwareSucceeded); err != nil {
		return err
	}
	return u.forget()
}
