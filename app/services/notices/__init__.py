"""What people are told of events: the sentences, and the messages by Slack and e-mail that they travel in."""
