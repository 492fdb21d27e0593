using Llama2.Testing;
using Microsoft.Extensions.Logging;
using static Llama2.Testing.EngineHost;
using static Llama2.Tests.LlamaEngineTests;

namespace Llama2.Tests;

/// <summary>What the engine tells <see cref="LlamaDiagnostics"/>.</summary>
public class LlamaEngineTelemetryTests
{
    [Fact]
    public async Task GenerateAsync_EveryKindOfEnd_LeavesTheLevelsAtZero()
    {
        using var diagnostics = new LlamaDiagnostics("m", enableSensitiveData: false, loggerFactory: null);
        using var backend = new FakeBackend();
        using var engine = Create(backend, diagnostics);
        using (var gate = new Gate(backend))
        {
            using var cancellation = new CancellationTokenSource();
            Task<GenerationResult> running = RunAsync(engine, Prompt(5), Greedy(3));
            gate.WaitUntilReached();
            Task<GenerationResult> waiting = RunAsync(engine, Prompt(6), Greedy(3), cancellation.Token);
            await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(engine, Prompt(7), Greedy(3)));
            Assert.Equal((1, 1), (diagnostics.QueuedRequests, diagnostics.ActiveRequests));
            await cancellation.CancelAsync();
            await Assert.ThrowsAsync<GenerationCanceledException>(() => waiting);
            gate.Open();
            await running;
        }

        backend.OnForward = _ => throw new TimeoutException();
        await Assert.ThrowsAsync<TimeoutException>(() => RunAsync(engine, Prompt(300 - 60), Greedy(3)));
        Assert.Equal((0, 0), (diagnostics.QueuedRequests, diagnostics.ActiveRequests));
    }

    [Fact]
    public async Task GenerateAsync_ListenerThrows_AnswerComes()
    {
        using var loggers = new ThrowingLoggerFactory();
        using var diagnostics = new LlamaDiagnostics("m", enableSensitiveData: true, loggers);
        using var backend = new FakeBackend();
        using var engine = Create(backend, diagnostics, prefixCacheBytes: 600);
        Assert.Equal(3, (await RunAsync(engine, Prompt(40), new() { IgnoreEos = true, MaxNewTokens = 3 })).TokenIds.Count);
        Assert.Equal(3, (await RunAsync(engine, Prompt(60, 1), new() { IgnoreEos = true, MaxNewTokens = 3 })).TokenIds.Count);
        Assert.True(loggers.Messages >= 2);
        Assert.Equal(1, engine.Pool.Count);
    }

    private static LlamaEngine Create(FakeBackend backend, LlamaDiagnostics diagnostics, long? prefixCacheBytes = null) => new(
        backend,
        tokenizer: null,
        new() { MaxConcurrentSequences = 1, MaxQueuedRequests = 1, PrefixCacheBytes = prefixCacheBytes },
        GenerationOptions.Defaults,
        diagnostics);

    private sealed class ThrowingLoggerFactory : ILoggerFactory, ILogger
    {
        private int _messages;

        public int Messages => Volatile.Read(ref _messages);

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref _messages);
            throw new InvalidOperationException("The disk is full.");
        }

        public void Dispose()
        {
        }
    }
}
