package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// For guests, by what they are about. What is refused is refused whatever it is about; of the rest, the room decides,
// or whose it is. A new operation needs its place in one of these lists.
const (
	forGuests = `get-me update-me delete-me export-me set-avatar delete-avatar set-status change-email change-password
		list-factors list-sessions end-session end-sessions new-recovery-codes step-up begin-passkey-step-up enrol-totp
		confirm-totp remove-totp begin-passkey add-passkey remove-passkey rename-passkey forget-browser link-provider
		unlink-provider report-spans get-retention
		list-users get-user get-presence list-shared-rooms list-user-groups get-user-group list-blocked block unblock
		list-requests set-requests accept-request decline-request open-direct
		list-rooms get-room update-room leave-room list-members mark-read mark-unread search replay-events get-timeline
		send-message get-message edit-message delete-message list-versions remove-previews tick-task get-thread
		list-threads mark-thread follow-thread follow-threads add-reaction remove-reaction list-reactions create-poll
		vote close-poll list-voters forward-message list-pins pin-message unpin-message report-message appeal-flag
		list-own-reports
		list-slash-commands run-slash-command list-emoji
		list-files upload-file create-file put-file-part complete-file delete-file get-file link-files list-room-files
		list-devices list-room-devices get-device list-series get-readings list-alarms list-room-alarms
		list-device-alarms get-dashboard post-chart
		list-saved list-saved-in-room save-message unsave-message list-drafts put-draft get-sections put-sections
		list-scheduled schedule-message change-scheduled skip-scheduled delete-scheduled send-scheduled list-reminders
		create-reminder change-reminder finish-reminder delete-reminder
		get-notifications set-notifications set-room-notifications
		get-digest set-digest list-subscriptions subscribe unsubscribe`
	notForGuests = `create-room list-public-rooms join-room delete-room hand-over-room add-member remove-member
		update-member list-bans ban unban list-invites create-invite revoke-invite get-invite accept-invite
		set-room-avatar delete-room-avatar add-emoji delete-emoji list-room-reports decide-room-report put-dashboard
		list-bots create-bot delete-bot create-bot-token revoke-bot-token list-assistants set-assistant end-assistant
		list-hooks create-hook update-hook renew-hook delete-hook set-hook-avatar delete-hook-avatar
		list-outgoing-hooks create-outgoing-hook update-outgoing-hook rotate-outgoing-hook delete-outgoing-hook
		test-outgoing-hook list-hook-deliveries redeliver-hook
		create-slash-command update-slash-command rotate-slash-command delete-slash-command
		register-device update-device import-devices revoke-device rotate-device-key revoke-device-key
		revoke-device-keys list-device-transfers offer-device accept-device end-device-offer let-device-claim
		list-device-groups put-device-group change-device-group delete-device-group list-device-templates
		put-device-template delete-device-template list-device-connections list-device-log get-device-settings
		change-device-settings send-command list-commands get-command cancel-command send-group-command
		list-group-commands get-group-command change-alarm list-group-rules create-group-rule replace-group-rule
		delete-group-rule list-maintenance add-maintenance delete-maintenance list-device-maintenance list-alarm-rules
		create-alarm-rule replace-alarm-rule delete-alarm-rule delete-readings export-readings
		get-offer-key list-products create-product get-product update-product delete-product share-product
		list-roots add-root list-uploads begin-upload get-upload add-part complete-upload delete-upload
		list-releases create-release get-release update-release delete-release add-image remove-image
		set-factory-image remove-factory-image create-rollout list-rollouts get-rollout act-on-rollout revert-rollout
		list-updates get-rollout-log list-crashes get-device-ota put-device-ota delete-device-ota get-device-firmware
		agree-to-update list-fleet send-devices-away join-product leave-product get-product-terms get-manifest
		sign-release
		list-audit verify-audit`
)

// invited registers somebody by a link for guests of a room of by.
func invited(t *testing.T, s *live.Server, by *client.Client, name, room string) *client.Client {
	t.Helper()
	i, err := by.InviteGuest(t.Context(), client.GuestInvite{Days: 14, Rooms: []string{room}})
	must(t, err)
	_, code, _ := strings.Cut(i.Link, "#invite=")
	c := client.New(s.URL)
	must(t, c.Register(t.Context(), client.Registration{Username: name, Password: live.Password, Invite: code}))
	return c
}

// Every operation is called by a guest who is a member of Ann's room: what is in no list fails the test, and no answer
// tells of a public room, or of a person, that the guest shares no room with.
func TestCHK_DV_03_GuestsReachTheirRoomsAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := t.Context()
	admin := root(t, h.Server)
	zed := h.User("zedekiah")
	plaza, err := zed.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Xanadu", Topic: "of all"})
	must(t, err)
	must(t, h.bob.Join(ctx, plaza.ID)) // who shares a room with the guest
	must(t, admin.Do(ctx, "POST", "/admin/user-groups", map[string]any{"handle": "zeds", "members": []string{id(t, zed)}},
		nil))
	must(t, admin.Do(ctx, "POST", "/admin/user-groups", map[string]any{"handle": "mixed",
		"members": []string{id(t, zed), h.bobID}}, nil))
	fill := h.fill(t)
	must(t, h.ann.Add(ctx, fill("{room}"), id(t, admin)))
	gus := invited(t, h.Server, admin, "gus", fill("{room}"))
	token := gus.Tokens().Access
	may, mayNot := strings.Fields(forGuests), strings.Fields(notForGuests)
	others := strings.NewReplacer("{user}", id(t, zed), "{room}", plaza.ID, "{usergroup}", "zeds")
	ids := map[string]bool{}
	ops := operations(t, h.Server, fill)
	slices.SortStableFunc(ops, func(a, b operation) int { // who deletes their account calls nothing afterwards
		return strings.Compare(fmt.Sprint(a.id == "delete-me"), fmt.Sprint(b.id == "delete-me"))
	})
	for _, o := range ops {
		ids[o.id] = true
		if o.open || o.ofBots() {
			continue
		}
		allowed := slices.Contains(may, o.id)
		if !allowed && !slices.Contains(mayNot, o.id) && !strings.HasPrefix(o.id, "admin-") {
			t.Errorf("%s (%s %s): may guests call it? Put it into a list of this test, and into package guest if they may",
				o.id, o.method, o.template)
			continue
		}
		if o.method == http.MethodGet && allowed {
			far := o
			far.path = fill(others.Replace(o.template))
			for _, q := range []string{"", "?q=xanadu", "?q=zed", "?ids=" + id(t, zed), "?users=" + id(t, zed)} {
				told := h.read(t, far.path+q, token)
				if i := strings.IndexAny(told, "xX"); strings.Contains(told, "Xanadu") || strings.Contains(told, "zedekiah") {
					t.Errorf("%s%s tells a guest: %s (%d)", o.id, q, told, i)
				}
			}
		}
		if allowed && o.id == "leave-room" {
			o.path = others.Replace(o.template) // they stay in the other one
		}
		status, code := try(t, h.Server, o, "", token)
		if refused := status == http.StatusForbidden && code == domain.CodeNotForGuests; refused == allowed {
			t.Errorf("%s by a guest: %d %s", o.id, status, code)
		}
	}
	for _, id := range slices.Concat(may, mayNot) {
		if !ids[id] {
			t.Errorf("the lists have %s, which there is not", id)
		}
	}
}

// Guests write the slash commands of their rooms as other members do, and of the server's those that are for guests.
// Only these are told to them.
func TestGuestsWriteSlashCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, admin := t.Context(), root(t, h.Server)
	den, err := admin.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
	must(t, err)
	gus := invited(t, h.Server, admin, "gus", den.ID)
	const nowhere = "https://10.0.0.1/" // in a network that is not allowed
	_, err = admin.CreateSlashCommand(ctx, den.ID, client.NewSlashCommand{Name: "deploy", URL: nowhere})
	must(t, err)
	for name, guests := range map[string]bool{"oncall": true, "payroll": false} {
		_, err = admin.CreateServerCommand(ctx, client.NewServerCommand{Guests: guests,
			NewSlashCommand: client.NewSlashCommand{Name: name, URL: nowhere}})
		must(t, err)
	}
	seen := func(c *client.Client) (names []string) {
		t.Helper()
		all, err := c.SlashCommands(ctx, den.ID)
		must(t, err)
		for _, one := range all {
			names = append(names, one.Name)
		}
		return names
	}
	if got := seen(gus); !slices.Equal(got, []string{"deploy", "oncall"}) {
		t.Errorf("a guest is told of %v", got)
	}
	if got := seen(admin); !slices.Equal(got, []string{"deploy", "oncall", "payroll"}) {
		t.Errorf("a member is told of %v", got)
	}
	for name, want := range map[string]domain.Code{"deploy": domain.CodeSlashAway, "oncall": domain.CodeSlashAway,
		"payroll": domain.CodeNoSlash} {
		_, err := gus.RunSlashCommand(ctx, den.ID, client.WrittenCommand{Command: name})
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code != want {
			t.Errorf("/%s by a guest: %v, want %s", name, err, want)
		}
	}
	// The word of the web client that adds people is refused as what it asks for.
	var refused *client.Error
	if err := gus.Add(ctx, den.ID, h.bobID); !errors.As(err, &refused) ||
		refused.Code != domain.CodeNotForGuests {
		t.Errorf("/invite by a guest: %v", err)
	}
}

// A guest comes by a link into a room, is marked there, begins conversations with people of the room alone, and is gone
// at the time that was set; what they wrote stays, and an administrator lets them in again.
func TestGuestsComeAndGo(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	admin, ann, eve := root(t, s), s.User("ann"), s.User("eve")
	fair, err := admin.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Fair", Members: []string{id(t, ann)}})
	must(t, err)
	other, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
	must(t, err)
	if _, err := admin.InviteGuest(ctx, client.GuestInvite{Days: 3, Rooms: []string{other.ID}}); codeOf(err) !=
		domain.CodeNoRoom {
		t.Errorf("an invitation into somebody else's room: %v", err)
	}
	gus := invited(t, s, admin, "gus", fair.ID)
	me, err := gus.Me(ctx)
	must(t, err)
	if left := time.Until(*me.GuestUntil); me.Role != "guest" || left < 13*24*time.Hour || left > 15*24*time.Hour {
		t.Fatalf("the guest is %+v", me)
	}
	room, err := ann.Room(ctx, fair.ID)
	must(t, err)
	members, err := ann.Members(ctx, fair.ID, "")
	must(t, err)
	marked := slices.DeleteFunc(members.Items, func(m client.Member) bool { return !m.Guest })
	profile, err := ann.User(ctx, "gus")
	must(t, err)
	if room.Guests != 1 || len(marked) != 1 || marked[0].Username != "gus" || !profile.Guest {
		t.Errorf("who reads along: %d, %+v, %+v", room.Guests, marked, profile)
	}
	sent, err := gus.Send(ctx, client.Draft{Room: fair.ID, Text: "the stand is up"})
	must(t, err)
	if _, err := gus.Direct(ctx, id(t, ann)); err != nil {
		t.Errorf("a conversation with somebody of the room: %v", err)
	}
	if _, err := gus.Direct(ctx, id(t, eve)); codeOf(err) != domain.CodeInvalidField {
		t.Errorf("a conversation with a stranger: %v", err)
	}
	must(t, ann.Add(ctx, other.ID, me.ID))
	if err := ann.Do(ctx, "PATCH", "/rooms/"+other.ID+"/members/"+me.ID, map[string]any{"role": "admin"},
		nil); codeOf(err) != domain.CodeNotForGuests {
		t.Errorf("a guest becomes an admin: %v", err)
	}
	if err := ann.Do(ctx, "POST", "/rooms/"+other.ID+"/owner", map[string]any{"user": "gus"},
		nil); codeOf(err) != domain.CodeNotForGuests {
		t.Errorf("a guest becomes the owner: %v", err)
	}
	if err := admin.SetGuest(ctx, id(t, ann), time.Now().Add(time.Hour)); codeOf(err) != domain.CodeStillOwns {
		t.Errorf("who owns a room becomes a guest: %v", err)
	}
	if err := admin.SetGuest(ctx, me.ID, time.Now().AddDate(2, 0, 0)); codeOf(err) != domain.CodeInvalidField {
		t.Errorf("a guest for two years: %v", err)
	}

	l := gus.Live(ctx, client.LiveOptions{})
	defer l.Close()
	must(t, l.Ready(ctx))
	access := gus.Tokens().Access
	must(t, admin.SetGuest(ctx, me.ID, time.Now().Add(500*time.Millisecond)))
	traffic.Wait(ctx, t, "the connection ends", func() bool { return l.State() == client.Ended })
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/api/v1/rooms", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the access token still opens rooms: %d", res.StatusCode)
	}
	until := time.Now().UTC().Format(time.DateOnly)
	if _, err := gus.Rooms(ctx); codeOf(err) != domain.CodeGuestEnded {
		t.Errorf("by the session: %v", err)
	}
	if err := client.New(s.URL).SignIn(ctx, "gus", live.Password); codeOf(err) != domain.CodeGuestEnded ||
		!strings.Contains(err.Error(), "ended on "+until) || !strings.HasPrefix(valuesOf(err)["until"], until) {
		t.Errorf("by the password: %v, %v", err, valuesOf(err))
	}
	if err := client.New(s.URL).SignIn(ctx, "gus", "another password"); codeOf(err) != domain.CodeInvalidCredentials {
		t.Errorf("by a wrong password: %v", err)
	}
	if room, err = ann.Room(ctx, fair.ID); err != nil || room.Guests != 0 {
		t.Errorf("who reads along: %d, %v", room.Guests, err)
	}
	said, err := ann.Message(ctx, fair.ID, sent.Message.Seq)
	if err != nil || said.Text != "the stand is up" || said.Sender.Username != "gus" {
		t.Errorf("what the guest wrote: %+v, %v", said, err)
	}
	traffic.Wait(ctx, t, "the end is recorded", func() bool {
		return recorded(t, admin, "target="+me.ID)[string(domain.AuditGuestEnd)] == 1
	})
	if err := admin.Do(ctx, "PATCH", "/admin/users/"+me.ID, map[string]any{"disabled": false},
		nil); codeOf(err) != domain.CodeGuestEnded {
		t.Errorf("enabling instead of extending: %v", err)
	}
	must(t, admin.SetGuest(ctx, me.ID, time.Now().Add(time.Hour)))
	must(t, gus.SignIn(ctx, "gus", live.Password))
	if rooms, err := gus.Rooms(ctx); err != nil || len(rooms) != 3 {
		t.Errorf("the rooms of a guest who is back: %+v, %v", rooms, err)
	}
	must(t, admin.Do(ctx, "PATCH", "/admin/users/"+me.ID, map[string]any{"role": "user"}, nil))
	must(t, gus.SignIn(ctx, "gus", live.Password))
	if _, err := gus.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Mine"}); err != nil {
		t.Errorf("a room of somebody who was a guest: %v", err)
	}
}

// valuesOf returns what a refusal says of its case.
func valuesOf(err error) map[string]string {
	if e := new(client.Error); errors.As(err, &e) {
		return e.Values
	}
	return nil
}
