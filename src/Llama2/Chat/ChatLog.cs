using Microsoft.Extensions.Logging;

namespace Llama2;

internal static partial class ChatLog
{
    [LoggerMessage(20, LogLevel.Warning, "{Problem}")]
    public static partial void SettingIgnored(this ILogger logger, string problem);

    [LoggerMessage(21, LogLevel.Warning, "A conversation of {Tokens} tokens did not fit the context: its oldest {Messages} messages were left out.")]
    public static partial void MessagesDropped(this ILogger logger, int messages, int tokens);
}
