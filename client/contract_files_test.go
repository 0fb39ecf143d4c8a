package client_test

import (
	"bytes"
	"context"

	"github.com/unhidra/unhidra/client"
)

func (k *contract) files(ctx context.Context) {
	data := []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + // a picture of one pixel
		",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	size := int64(len(data))
	begun, err := k.ann.BeginUpload(ctx, k.room.ID, "a.gif", size)
	k.called(err, "BeginUpload")
	is, err := k.ann.Upload(ctx, begun.ID)
	if k.called(err, "Upload"); is.State != "uploading" || is.ExpiresAt == nil {
		k.Errorf("begun: %+v", is)
	}
	sent := int64(0)
	done, err := k.ann.SendParts(ctx, is, bytes.NewReader(data), func(n int64) { sent = n })
	if k.called(err, "SendParts"); done.State != "ready" || done.Type != "image/gif" || sent != size {
		k.Errorf("uploaded: %+v, %d bytes sent", done, sent)
	}
	if again, err := k.ann.SendParts(ctx, done, bytes.NewReader(data), nil); err != nil || again.ID != done.ID {
		k.Errorf("once more: %+v, %v", again, err)
	}
	said, err := k.ann.Send(ctx, client.Draft{Room: k.room.ID, Files: []string{done.ID}})
	if k.called(err); len(said.Message.Files) != 1 {
		k.Errorf("sent: %+v", said.Message)
	}
	list, err := k.ann.RoomFiles(ctx, k.room.ID, "", "image", "")
	if k.called(err, "RoomFiles"); len(list.Items) != 1 || list.Items[0].File.ID != done.ID {
		k.Errorf("in the room: %+v", list)
	}
	var got bytes.Buffer
	n, err := k.ann.Download(ctx, done.ID, 3, &got)
	if k.called(err, "Download"); n != size-3 || !bytes.Equal(got.Bytes(), data[3:]) {
		k.Errorf("downloaded %q", got.Bytes())
	}
	other, err := k.ann.UploadFile(ctx, k.room.ID, "b.txt", bytes.NewReader([]byte("b")), 1)
	k.called(err, "UploadFile")
	first, err := k.ann.UploadBytes(ctx, k.room.ID, "c.gif", "c", data)
	if k.called(err, "UploadBytes"); first.State != "ready" || first.Type != "image/gif" || first.Size != size {
		k.Errorf("uploaded in one request: %+v", first)
	}
	if again, err := k.ann.UploadBytes(ctx, k.room.ID, "c.gif", "c", data); err != nil || again.ID != first.ID {
		k.Errorf("once more: %+v, %v", again, err)
	}
	k.called(k.ann.DeleteFile(ctx, other.ID), "DeleteFile")
}
