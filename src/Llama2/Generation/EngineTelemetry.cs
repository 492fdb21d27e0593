using System.Diagnostics;

namespace Llama2;

internal static class EngineTelemetry
{
    /// <summary>Tells the outside, if anyone listens. Listeners are the application's code: what they throw is no reason to lose an answer.</summary>
    public static void Report<T>(this LlamaDiagnostics? diagnostics, Action<LlamaDiagnostics, T> report, T argument)
    {
        if (diagnostics is null)
        {
            return;
        }

        try
        {
            report(diagnostics, argument);
        }
        catch (Exception error)
        {
            Trace.TraceWarning("A telemetry listener failed: {0}", error);
        }
    }
}
