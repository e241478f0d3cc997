// The seam between the library and a backend, under one name. Nothing stands here that the backends of this package do not
// use themselves; what is missing here, such as their fast paths, stays theirs.

@_exported public import struct BroadcasterWire.Acceptance
// Time.
@_exported public import struct BroadcasterWire.AnswerWatch
@_exported public import protocol BroadcasterWire.Backend
// A conversation.
@_exported public import enum BroadcasterWire.Command
@_exported public import struct BroadcasterWire.CommonOptions
@_exported public import struct BroadcasterWire.Cursor
// URLs and security.
@_exported public import enum BroadcasterWire.Endpoint
@_exported public import enum BroadcasterWire.Event
@_exported public import struct BroadcasterWire.Heartbeat
@_exported public import struct BroadcasterWire.HistoryPage
@_exported public import struct BroadcasterWire.HistoryRequest
// Histories.
@_exported public import enum BroadcasterWire.HistoryStart
@_exported public import struct BroadcasterWire.Instant
@_exported public import struct BroadcasterWire.Lane
@_exported public import enum BroadcasterWire.LaneFailure
@_exported public import enum BroadcasterWire.LaneLoss
@_exported public import struct BroadcasterWire.LaneSecurity
// Channels and their messages.
@_exported public import class BroadcasterWire.MessageBlock
@_exported public import struct BroadcasterWire.MessageCollector
@_exported public import class BroadcasterWire.Origin
@_exported public import struct BroadcasterWire.PageRequest
@_exported public import typealias BroadcasterWire.PasswordSource
@_exported public import enum BroadcasterWire.Payload
@_exported public import struct BroadcasterWire.PeerInfo
@_exported public import struct BroadcasterWire.Position
@_exported public import struct BroadcasterWire.ProtocolError
@_exported public import struct BroadcasterWire.Publication
@_exported public import enum BroadcasterWire.PublishIntake
@_exported public import struct BroadcasterWire.Receipt
@_exported public import struct BroadcasterWire.ReceiveBuffer
@_exported public import struct BroadcasterWire.Rejection
@_exported public import struct BroadcasterWire.ServerEnvironment
@_exported public import struct BroadcasterWire.ServerIdentity
@_exported public import struct BroadcasterWire.ServerURL
@_exported public import struct BroadcasterWire.ServerURLError
@_exported public import protocol BroadcasterWire.Session
@_exported public import struct BroadcasterWire.SessionOutput
@_exported public import struct BroadcasterWire.TLSOptions
@_exported public import struct BroadcasterWire.Topic
@_exported public import struct BroadcasterWire.TopicIndex
@_exported public import enum BroadcasterWire.TopicName
@_exported public import protocol BroadcasterWire.URLBackend
@_exported public import struct BroadcasterWire.URLOptions
