using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

public sealed class Llama2HealthCheckTests : IAsyncDisposable
{
    private readonly ModelLoads _models = new();
    private readonly FakeLogCollector _logs = new();
    private readonly ServiceProvider _provider;

    public Llama2HealthCheckTests()
    {
        IServiceCollection services = new ServiceCollection().AddLogging(logging => logging.AddProvider(new FakeLoggerProvider(_logs)));
        services.AddSingleton<LlamaModelLoader>(_models.Load);
        services.AddLlama2ChatClient("models/tiny", serviceKey: "a").AddLlama2ChatClient("models/other", serviceKey: "b").AddLlama2WarmUp("a");
        services.AddHealthChecks().AddCheck<Llama2HealthCheck>("llama2");
        _provider = services.BuildServiceProvider();
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    [Fact]
    public async Task Check_NothingLoaded_IsDegradedAndLoadsNothing()
    {
        HealthReportEntry entry = await CheckAsync();

        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Equal("'a' is not loaded yet. 'b' is not loaded yet.", entry.Description);
        Assert.Empty(_models.Loads);
    }

    [Fact]
    public async Task Check_AllLoaded_IsHealthyWithTheirData()
    {
        _provider.GetRequiredKeyedService<LlamaModel>("a");
        Assert.Equal(HealthStatus.Degraded, (await CheckAsync()).Status);
        LlamaModel other = _provider.GetRequiredKeyedService<LlamaModel>("b");

        HealthReportEntry entry = await CheckAsync();

        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Null(entry.Description);
        Assert.Equal("tiny", entry.Data["a.model"]);
        Assert.Equal("other", entry.Data["b.model"]);
        Assert.Equal(other.Info.Device, entry.Data["b.device"]);
        Assert.Equal(other.Info.Kernels, entry.Data["b.kernels"]);
        Assert.Equal(other.Info.Threads, entry.Data["b.threads"]);
        Assert.Equal(other.Info.WeightBytes, entry.Data["b.weightBytes"]);
        Assert.Equal(0, entry.Data["b.running"]);
        Assert.Equal(0, entry.Data["b.queued"]);
    }

    [Fact]
    public async Task Check_LoadFailed_IsUnhealthyUntilOneSucceeds()
    {
        _provider.GetRequiredKeyedService<LlamaModel>("b");
        _models.Failure = new CheckpointException("config.json", "hidden_size", "0", "at least 1");
        Assert.Throws<CheckpointException>(() => _provider.GetRequiredKeyedService<LlamaModel>("a"));

        HealthReportEntry entry = await CheckAsync();
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Same(_models.Failure, entry.Exception);
        Assert.Contains("'a' failed: ", entry.Description, StringComparison.Ordinal);

        _models.Failure = null;
        _provider.GetRequiredKeyedService<LlamaModel>("a");
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);
    }

    [Fact]
    public async Task WarmUp_HostStarts_LoadsInTheBackgroundAndGenerates()
    {
        using var mayLoad = new ManualResetEventSlim();
        _models.Before = cancellationToken => mayLoad.Wait(cancellationToken);

        BackgroundService warmUp = await StartAsync();
        Assert.False(warmUp.ExecuteTask!.IsCompleted);
        mayLoad.Set();
        await warmUp.ExecuteTask;

        Assert.Equal("tiny", (await CheckAsync()).Data["a.model"]);
        Assert.Contains(_logs.GetSnapshot(), record => record.Level == LogLevel.Information && record.Message.StartsWith("tiny is warm after", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WarmUp_Fails_IsLoggedAndUnhealthyWhileTheHostRunsOn()
    {
        _models.Failure = new IOException("the disk is gone");

        BackgroundService warmUp = await StartAsync();
        await warmUp.ExecuteTask!;

        Assert.Same(_models.Failure, Assert.Single(_logs.GetSnapshot(), record => record.Level == LogLevel.Error).Exception);
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync()).Status);
    }

    [Fact]
    public async Task WarmUp_HostStopsMeanwhile_EndsQuietly()
    {
        using var loading = new ManualResetEventSlim();
        using var stopped = new ManualResetEventSlim();
        _models.Before = _ =>
        {
            loading.Set();
            Assert.True(stopped.Wait(TimeSpan.FromSeconds(30), CancellationToken.None));
        };
        BackgroundService warmUp = await StartAsync();
        Assert.True(loading.Wait(TimeSpan.FromSeconds(30)));

        Task stop = warmUp.StopAsync(CancellationToken.None);
        stopped.Set();
        await stop;

        Assert.True(warmUp.ExecuteTask!.IsCanceled);
        Assert.DoesNotContain(_logs.GetSnapshot(), record => record.Level == LogLevel.Error);
    }

    [Fact]
    public void WarmUp_UnknownKey_StopsTheHostFromStarting()
    {
        using ServiceProvider keyed = new ServiceCollection().AddLlama2ChatClient("models/tiny").AddLlama2WarmUp("b").BuildServiceProvider();
        using ServiceProvider none = new ServiceCollection().AddLlama2WarmUp().BuildServiceProvider();
        using ServiceProvider unkeyed = new ServiceCollection().AddLlama2ChatClient("models/tiny", serviceKey: "b").AddLlama2WarmUp().BuildServiceProvider();

        Assert.Contains("under the key 'b'", Assert.Throws<InvalidOperationException>(keyed.GetServices<IHostedService>).Message, StringComparison.Ordinal);
        Assert.Contains("without a key", Assert.Throws<InvalidOperationException>(none.GetServices<IHostedService>).Message, StringComparison.Ordinal);
        Assert.Contains("without a key", Assert.Throws<InvalidOperationException>(unkeyed.GetServices<IHostedService>).Message, StringComparison.Ordinal);
    }

    private async Task<HealthReportEntry> CheckAsync() =>
        (await _provider.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["llama2"];

    private async Task<BackgroundService> StartAsync()
    {
        BackgroundService warmUp = Assert.IsType<LlamaWarmUp>(Assert.Single(_provider.GetServices<IHostedService>(), service => service is LlamaWarmUp));
        await warmUp.StartAsync(CancellationToken.None);
        return warmUp;
    }
}
