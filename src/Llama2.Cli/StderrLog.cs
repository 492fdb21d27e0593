using Microsoft.Extensions.Logging;

namespace Llama2.Cli;

/// <summary>What <c>--verbose</c> shows: every log message on one line of standard error.</summary>
internal sealed class StderrLog(TextWriter error) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new Logger(error, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("The log goes to standard error only.");

    public void Dispose()
    {
    }

    private sealed class Logger(TextWriter error, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            string line = $"{logLevel}: {category}: {formatter(state, exception)}{(exception is null ? "" : $" ({exception.Message})")}";
            lock (error)
            {
                error.WriteLine(line);
            }
        }
    }
}
