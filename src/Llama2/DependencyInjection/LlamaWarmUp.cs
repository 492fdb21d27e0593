using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Llama2;

/// <summary>Loads one model and generates one token with it in the background of a starting host.</summary>
internal sealed class LlamaWarmUp(LlamaModelRegistry registry, LlamaModelRegistration registration, ILoggerFactory? loggerFactory) : BackgroundService
{
    private readonly ILogger _logger = loggerFactory?.CreateLogger("Llama2.LlamaModel") ?? (ILogger)NullLogger.Instance;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Run(() => WarmUpAsync(stoppingToken), stoppingToken);

    private async Task WarmUpAsync(CancellationToken stoppingToken)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            LlamaModel model = registry.Get(registration);
            var options = new GenerationOptions { DoSample = false, MaxNewTokens = 1 };
            await foreach (GenerationUpdate _ in model.Engine.GenerateAsync([model.Config.BeginOfTextId], options, stoppingToken).ConfigureAwait(false))
            {
            }

            _logger.WarmedUp(model.ModelId, (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
        {
            registry.Report(registration, exception);
            _logger.WarmUpFailed(exception, registration.Path);
        }
    }
}
