using System.Runtime.CompilerServices;
using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Cli.Tests;

public sealed class ChatSessionTests
{
    [Fact]
    public async Task Run_Lines_AreTurnsOfOneConversation()
    {
        using var terminal = new TestTerminal("one\n\n  two  \n");
        using var client = new EchoClient();

        Assert.Equal(0, await new ChatSession(client, terminal.Streams, "be brief").RunAsync(default));

        Assert.Equal("system: be brief | user: one\nsystem: be brief | user: one | assistant: … | user: two\n", terminal.Output.ToString());
        Assert.Empty(terminal.Error.ToString());
    }

    [Fact]
    public async Task Run_Commands_ActOnTheConversation()
    {
        using var terminal = new TestTerminal("one\n/reset\n/system  be kind \ntwo\n/system\n//three\n/help\n/nonsense\n/exit\nfour\n");
        using var client = new EchoClient();

        Assert.Equal(0, await new ChatSession(client, terminal.Streams, null).RunAsync(default));

        Assert.Equal("user: one\nsystem: be kind | user: two\nuser: two | assistant: … | user: /three\n", terminal.Output.ToString());
        Assert.Contains("/save FILE", terminal.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains("error: /nonsense is no command", terminal.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Save_WritesWhatTheTemplateFilterReads()
    {
        using var folder = new TemporaryFolder();
        string file = folder["chat.json"], taken = folder["taken.json"];
        await File.WriteAllTextAsync(taken, "mine");
        using var terminal = new TestTerminal($"\"one\" ü\n/save {file}\n/save {file}\n/save {taken}\n/save\n/save {folder["no/such/folder"]}\n");
        using var client = new EchoClient();

        Assert.Equal(0, await new ChatSession(client, terminal.Streams, "be brief").RunAsync(default));

        JsonElement messages = JsonDocument.Parse(Assert.Single(await File.ReadAllLinesAsync(file))).RootElement.GetProperty("messages");
        Assert.Equal(["system", "user", "assistant"], messages.EnumerateArray().Select(message => message.GetProperty("role").GetString()));
        Assert.Equal("\"one\" ü", messages[1].GetProperty("content").GetString());
        Assert.Equal("mine", await File.ReadAllTextAsync(taken));
        Assert.Equal(3, terminal.Error.ToString().Split("error: ").Length - 1);
    }

    [Fact]
    public async Task Run_InterruptDuringAnswer_KeepsWhatWasSaidAndGoesOn()
    {
        using var terminal = new TestTerminal("one\ntwo\n", interactive: true);
        using var client = new EchoClient { AtFirstAnswer = () => terminal.Streams.Interrupts.Raise() };

        Assert.Equal(0, await new ChatSession(client, terminal.Streams, null).RunAsync(terminal.Streams.Interrupts.Token));

        Assert.Equal("user: one\nuser: one | assistant: … | user: two\n", terminal.Output.ToString());
        Assert.Contains("[stopped]", terminal.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_InterruptAtPrompt_Ends()
    {
        using var input = new SilentReader();
        using var terminal = new TestTerminal(input, interactive: true);
        using var client = new EchoClient();
        Task<int> run = new ChatSession(client, terminal.Streams, null).RunAsync(terminal.Streams.Interrupts.Token);

        Assert.True(terminal.Streams.Interrupts.Raise());

        Assert.Equal(0, await run.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Run_RefusedMessage_InteractiveGoesOnWithoutIt()
    {
        using var terminal = new TestTerminal("refuse\ntwo\n", interactive: true);
        using var client = new EchoClient();

        Assert.Equal(0, await new ChatSession(client, terminal.Streams, null).RunAsync(default));

        Assert.Contains("user: two\n", terminal.Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("user: refuse", terminal.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("error: It does not fit.", terminal.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_RefusedMessage_ScriptFails()
    {
        using var terminal = new TestTerminal("refuse\ntwo\n");
        using var client = new EchoClient();

        await Assert.ThrowsAsync<InvalidOperationException>(() => new ChatSession(client, terminal.Streams, null).RunAsync(default));
    }

    /// <summary>Answers with what it was told, its own answers shortened.</summary>
    private sealed class EchoClient : IChatClient
    {
        public Action? AtFirstAnswer { get; set; }

        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            if (messages.Last().Text == "refuse")
            {
                throw new InvalidOperationException("It does not fit.");
            }

            yield return new(ChatRole.Assistant, string.Join(" | ", messages.Select(Show)));
            if (AtFirstAnswer is { } act)
            {
                AtFirstAnswer = null;
                act();
                await Task.Delay(TimeSpan.FromSeconds(30), cancellationToken);
            }
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }

        private static string Show(ChatMessage message) => $"{message.Role}: {(message.Role == ChatRole.Assistant ? "…" : message.Text)}";
    }

    /// <summary>A terminal at which nobody types.</summary>
    private sealed class SilentReader : TextReader
    {
        private readonly ManualResetEventSlim _never = new();

        public override string? ReadLine()
        {
            _never.Wait(TimeSpan.FromSeconds(60));
            return null;
        }

        protected override void Dispose(bool disposing)
        {
            _never.Set();
            base.Dispose(disposing);
        }
    }
}
