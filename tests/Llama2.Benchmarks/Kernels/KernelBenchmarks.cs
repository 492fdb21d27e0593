using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Perfolizer.Horology;

namespace Llama2.Benchmarks;

/// <summary>The kernels one by one, on operands in the caches; what <c>llama2 bench</c> does not tell apart.</summary>
internal static class KernelBenchmarks
{
    /// <summary>Runs the benchmarks that BenchmarkDotNet's own options choose, such as <c>--filter *Stripe*</c>.</summary>
    /// <returns>The exit code: 0 all ran, 1 one failed or none was chosen.</returns>
    public static int Run(string[] args)
    {
        // In this process: a child would be built from files outside of this repository's settings. Short rounds, since a kernel takes microseconds.
        IConfig config = DefaultConfig.Instance
            .AddJob(Job.Default.WithToolchain(InProcessNoEmitToolchain.Instance).WithIterationTime(TimeInterval.FromMilliseconds(200)).WithIterationCount(10))
            .WithArtifactsPath(Path.Combine(AppContext.BaseDirectory, "BenchmarkDotNet"))
            .HideColumns(Column.Error, Column.StdDev)
            .AddColumn(StatisticColumn.Min);
        Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(KernelBenchmarks).Assembly).Run(args, config)];
        bool ran = summaries.Length > 0 && summaries.All(summary => summary.Reports.Length > 0 && summary.Reports.All(report => report.Success));
        bool listed = args.Contains("--list") || args.Contains("--help");
        return ran || listed ? 0 : 1;
    }
}
