/**
 * The shapes the page works with: Discord's own objects as docs/sandbox-client-api.md delivers them.
 * Only the fields the page reads are named. This module holds types and no code.
 *
 * @typedef {object} User
 * @property {string} id
 * @property {string} username
 * @property {string | null} [global_name]
 * @property {boolean} [bot]
 * @property {boolean} [moderator]
 * @property {boolean} [operator] Whether the bot is theirs.
 * @property {string[]} [roles] Ids of the roles they hold.
 * @property {string | null} [color] CSS colour of the avatar; nobody can act as a person without one.
 *
 * @typedef {object} Channel A text channel or (type 10, 11, 12) a thread.
 * @property {string} id
 * @property {number} type
 * @property {string} [name] Direct messages have none.
 * @property {string | null} [topic]
 * @property {string | null} [parent_id]
 * @property {string | null} [last_message_id]
 * @property {number} [message_count]
 * @property {boolean} [can_send]
 * @property {{archived?: boolean, locked?: boolean}} [thread_metadata]
 *
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} filename
 * @property {string} url
 * @property {number} [size] Bytes.
 * @property {string} [content_type]
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string} [description]
 *
 * @typedef {object} Emoji
 * @property {string | null} [id]
 * @property {string} [name]
 *
 * @typedef {object} SelectOption
 * @property {string} label
 * @property {string} value
 * @property {string} [description]
 * @property {boolean} [default]
 * @property {Emoji} [emoji]
 *
 * @typedef {object} Media
 * @property {string} url
 * @property {number | null} [width]
 * @property {number | null} [height]
 * @property {string | null} [content_type]
 *
 * @typedef {object} Component A message or modal component; which fields it has depends on `type`.
 * @property {number} type
 * @property {number} [id]
 * @property {string} [custom_id]
 * @property {string} [label]
 * @property {string} [description]
 * @property {string} [content]
 * @property {string} [url]
 * @property {number} [style]
 * @property {boolean} [disabled]
 * @property {boolean} [required]
 * @property {boolean} [spoiler]
 * @property {boolean} [divider]
 * @property {number} [spacing]
 * @property {string} [placeholder]
 * @property {string} [value]
 * @property {boolean} [default]
 * @property {number} [min_values]
 * @property {number} [max_values]
 * @property {number} [min_length]
 * @property {number} [max_length]
 * @property {number | null} [accent_color]
 * @property {Emoji} [emoji]
 * @property {SelectOption[]} [options]
 * @property {{id: string, type: string}[]} [default_values]
 * @property {number[]} [channel_types]
 * @property {Component[]} [components]
 * @property {Component} [component] The field inside a label (type 18).
 * @property {Component} [accessory]
 * @property {Media} [media]
 * @property {Media} [file]
 * @property {string} [name]
 * @property {number} [size]
 * @property {{media: Media, description?: string | null, spoiler?: boolean}[]} [items]
 *
 * @typedef {object} Embed
 * @property {string} [type]
 * @property {string} [title]
 * @property {string} [description]
 * @property {string} [url]
 * @property {string} [timestamp]
 * @property {number} [color]
 * @property {{name: string, url?: string, icon_url?: string}} [author]
 * @property {{text: string, icon_url?: string}} [footer]
 * @property {{name: string, value: string, inline?: boolean}[]} [fields]
 * @property {Media} [image]
 * @property {Media} [thumbnail]
 * @property {Media} [video]
 * @property {{name?: string}} [provider]
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} channel_id
 * @property {number} [type]
 * @property {User} author
 * @property {string} content
 * @property {string} timestamp
 * @property {string | null} [edited_timestamp]
 * @property {boolean} [pinned]
 * @property {number} [flags]
 * @property {Attachment[]} [attachments]
 * @property {Embed[]} [embeds]
 * @property {Component[]} [components]
 * @property {User[]} [mentions]
 * @property {boolean} [mention_everyone]
 * @property {Message | null} [referenced_message]
 * @property {{message_id?: string, channel_id?: string}} [message_reference]
 * @property {{id: string, type: number, user: User, name?: string}} [interaction_metadata]
 * @property {Channel} [thread]
 *
 * @typedef {object} CommandOption
 * @property {string} name
 * @property {string} description
 * @property {number} type
 * @property {boolean} [required]
 * @property {boolean} [autocomplete]
 * @property {{name: string, value: string | number}[]} [choices]
 * @property {CommandOption[]} [options]
 * @property {number} [min_value]
 * @property {number} [max_value]
 * @property {number} [min_length]
 * @property {number} [max_length]
 * @property {number[]} [channel_types]
 *
 * @typedef {object} Command
 * @property {string} id
 * @property {string} name
 * @property {number} [type] 1 slash, 2 user, 3 message.
 * @property {string} description
 * @property {CommandOption[]} [options]
 *
 * @typedef {object} LeafCommand What can be run: a command, or a subcommand with the way to it.
 * @property {Command} command
 * @property {{name: string, type: number}[]} path Group and subcommand, outermost first.
 * @property {string} name The full name without the slash, such as "pool show".
 * @property {string} description
 * @property {CommandOption[]} options
 *
 * @typedef {object} Pending An interaction the bot has not answered, or failed to answer.
 * @property {string} key
 * @property {"command" | "component"} kind
 * @property {string} channelId
 * @property {string} label What the person did, such as "/video".
 * @property {string} [messageId]
 * @property {string} [customId]
 * @property {"waiting" | "failed"} state
 * @property {string} [error]
 */

export {};
