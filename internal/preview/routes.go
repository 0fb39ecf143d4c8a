package preview

import (
	"context"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	httpx.Register(api, huma.Operation{OperationID: "remove-previews", Method: "DELETE",
		Path: "/rooms/{room}/messages/{seq}/previews", Tags: []string{"messages"}, Security: httpx.Bearer,
		Summary: "Take previews of links of a message away, for everybody; whoever may delete the message may do so"},
		s.removePreviews)
	httpx.Register(api, huma.Operation{OperationID: "get-preview-image", Method: "GET", Path: "/previews/{preview}",
		Tags: []string{"messages"}, Summary: "The picture of a link preview, for whoever knows its id"}, s.getImage)
}

func (s *Service) removePreviews(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
	Seq  int64  `path:"seq" minimum:"1"`
	URL  string `query:"url" maxLength:"2000" doc:"of the preview; absent: of all of the message"`
}) (*struct{}, error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	return nil, s.Store.Remove(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq, in.URL, s.Now())
}

type imageOutput struct {
	Type  string `header:"Content-Type"`
	Cache string `header:"Cache-Control"`
	Body  []byte
}

func (s *Service) getImage(ctx context.Context, in *struct {
	ID string `path:"preview" maxLength:"64"`
}) (*imageOutput, error) {
	i, err := s.Store.Image(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r, _, err := s.Blobs.Open(ctx, i.Hash)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxSmall))
	return &imageOutput{i.Type, "private, max-age=86400, immutable", data}, err
}
